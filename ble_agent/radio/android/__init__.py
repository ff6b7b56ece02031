"""Android."""
