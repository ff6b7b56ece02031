"""Uploads of diagnosis keys."""
