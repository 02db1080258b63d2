"""What goes wrong around a run of the workflow, and what must be so afterwards."""
