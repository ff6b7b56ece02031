"""Many logs against key files."""
