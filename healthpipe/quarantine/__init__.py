"""Rejected lines: listed, shown, exported, replayed."""
