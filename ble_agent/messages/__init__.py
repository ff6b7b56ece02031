"""Texts for the owner."""
