"""Codes that a health authority hands out, and what a device exchanges them for."""
