"""HTTP as all routes share it."""
