"""Check the environment of runs before the first one, and probe what Athena does."""
