"""SQLite databases and files."""
