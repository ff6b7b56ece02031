"""What the device keeps for its owner alone."""
