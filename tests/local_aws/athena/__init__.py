"""An Athena that keeps Athena's rules and has its queries run by DuckDB or Trino.

The rules come from Athena's API reference and user guide; messages are as its clients report them.
"""
