"""From the table of keys to signed files: windows, padding, the worker, and their download."""
