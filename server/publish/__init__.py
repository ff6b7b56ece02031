"""Uploads of diagnosis keys: the wire, the ordered rules, and the table of keys."""
