"""Matching in plain Python."""
