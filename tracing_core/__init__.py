"""Vocabulary of the Exposure Notification protocol, pure and typed."""
