"""The engine on AWS: Athena runs the SQL over tables in Glue; files are on S3."""
