"""Synthetic facility records: the same options give the same bytes, on every day and machine."""
