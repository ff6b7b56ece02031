"""Benchmark of the key server; see `benchmarks.server.__main__`."""
