"""Engines: DuckDB, Athena, Trino."""
