"""The page for phones of the same home network."""
