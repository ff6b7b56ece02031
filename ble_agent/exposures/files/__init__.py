"""Key files of the server: which are new, which were used and which cannot be."""
