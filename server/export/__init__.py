"""Key files: from the table of keys through windows and padding to their download."""
