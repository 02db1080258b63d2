"""From what a user names to newline-delimited files and a manifest of them."""
