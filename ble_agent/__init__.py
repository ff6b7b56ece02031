"""One device: it sends and records identifiers, fetches key files and informs its owner."""
