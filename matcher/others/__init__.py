"""Matching of logs of other protocols, as far as their slots go."""
