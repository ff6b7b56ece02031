"""Raw HCI."""
