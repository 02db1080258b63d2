"""The workflow, its steps and runs."""
