"""Texts of faults, by the part that has them."""
