"""One device: sends and records identifiers, fetches key files, and tells its owner."""
