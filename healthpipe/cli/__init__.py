"""The command line: commands parse, call and render; what they do lies elsewhere."""
