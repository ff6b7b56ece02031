"""Checking published keys and informing the owner."""
