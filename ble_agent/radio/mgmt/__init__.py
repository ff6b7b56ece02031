"""The kernel's management channel."""
