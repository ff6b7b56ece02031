"""Radios: what sends identifiers and hears them, a folder or file for each kind."""
