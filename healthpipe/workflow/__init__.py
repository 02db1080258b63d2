"""Runs: their ids, records and folders, a stage in one pass, and the workflow of all stages."""
