"""The commands as a user sees them, a file a command."""
