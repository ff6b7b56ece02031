"""Benchmarks against rivals in the same run; ``python -m benchmarks`` runs them all."""
