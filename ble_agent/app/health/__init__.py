"""The owner's health: the diary, the isolation clock and reports, in words."""
