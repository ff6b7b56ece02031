"""The agent as its owner meets it: commands, status and the running process."""
