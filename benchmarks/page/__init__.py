"""Benchmarks of what an owner reads, on the full log of a busy place."""
