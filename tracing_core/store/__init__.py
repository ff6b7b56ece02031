"""Databases and files."""
