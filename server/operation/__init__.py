"""Background work and health."""
