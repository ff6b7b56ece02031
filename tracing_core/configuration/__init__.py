"""Risk configurations."""
