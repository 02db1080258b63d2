"""The interpreter of the Amazon States Language."""
