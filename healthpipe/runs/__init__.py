"""Run records, attempts at steps, locks, and cleanup after dead runs."""
