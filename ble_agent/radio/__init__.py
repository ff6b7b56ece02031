"""Radios: what sends identifiers and hears them, one folder or file per kind."""
