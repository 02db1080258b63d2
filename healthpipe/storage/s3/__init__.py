"""Storage on S3: requests, conditional writes, transfers, deletion and a local cache."""
