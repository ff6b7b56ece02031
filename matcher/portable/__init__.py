"""Matching in plain Python, without numpy."""
