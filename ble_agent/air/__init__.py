"""The air: sending and recording identifiers."""
