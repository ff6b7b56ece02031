"""Texts of the commands of `truyvet agent`, one catalogue per subject."""
