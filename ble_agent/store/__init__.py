"""The agent's data on the disk."""
