"""Matching over NumPy columns."""
