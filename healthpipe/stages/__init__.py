"""What is done with the lines of a manifest, in terms of an Engine and a Storage alone."""
