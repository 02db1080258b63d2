"""Storage: local and S3."""
