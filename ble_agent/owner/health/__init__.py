"""The owner's health: the diary, and the isolation clock."""
