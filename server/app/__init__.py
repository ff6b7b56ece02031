"""The server's process: its web application and commands."""
