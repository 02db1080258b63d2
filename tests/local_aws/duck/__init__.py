"""Athena's statements on an embedded DuckDB, over the tables of moto's Glue catalog."""
