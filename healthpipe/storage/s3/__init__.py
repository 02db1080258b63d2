"""Storage on S3."""
