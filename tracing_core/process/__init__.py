"""A process of ours: where it imports from, and what it can print."""
