"""Audit gates, the pointer to the live run and its history, publish, rollback, prune."""
