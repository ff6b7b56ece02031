"""Finds out which published keys a log has met, and how close and how long."""
