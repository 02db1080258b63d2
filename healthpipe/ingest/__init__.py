"""Input files: found by SOURCE, told apart by content, rewritten as lines where need be, listed."""
