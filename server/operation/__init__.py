"""Operation of a running server."""
