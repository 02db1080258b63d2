"""Audit, publish, rollback, prune."""
