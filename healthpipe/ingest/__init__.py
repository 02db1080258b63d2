"""Input files: found by SOURCE, classified by content, landed where needed, kept in a manifest."""
