"""The web application and its commands."""
