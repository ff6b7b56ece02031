"""Sending and recording identifiers."""
