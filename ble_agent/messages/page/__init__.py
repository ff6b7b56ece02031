"""Texts of the owner's page, one catalogue per screen."""
