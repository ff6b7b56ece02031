"""The owner's page: a process of its own that is served on this device."""
