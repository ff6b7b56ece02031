"""Database, files and private keys."""
