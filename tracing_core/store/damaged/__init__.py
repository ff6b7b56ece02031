"""Reading of databases whose pages are damaged."""
