"""Bluetooth without hardware."""
