"""Whether everything is there that a run needs, looked at before the first one."""
