"""Verification codes, and what a device exchanges them for."""
