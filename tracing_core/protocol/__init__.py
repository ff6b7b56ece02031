"""The Exposure Notification protocol."""
