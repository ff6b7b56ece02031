"""What devices trust this server by: its keys, their history, and its signed settings."""
