"""Loops that Numba compiles: joins, sets and parsers."""
