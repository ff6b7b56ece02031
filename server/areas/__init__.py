"""Areas: the level of the epidemic in each, which every device fetches whole."""
