"""The owner's page: the agent's face in a browser, served by a process of its own."""
