"""Matching over NumPy columns."""

from tracing_core.errors import require

# The modules here import NumPy at the top; without it this line says what to install.
require("numpy", extra="matcher")
