"""Talking to the health authority."""
