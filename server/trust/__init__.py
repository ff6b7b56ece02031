"""Trust of devices in this server: its keys, their history, its signed configuration."""
