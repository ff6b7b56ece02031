"""GAEN v2 daily summaries."""
