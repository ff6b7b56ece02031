"""Forgetting: nothing older than the settings allow stays in a row or a file."""
