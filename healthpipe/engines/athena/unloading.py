"""The statement that has Athena write a result to S3."""

from sqlglot import exp

from healthpipe.choices import Format
from healthpipe.engines.sql_files import ATHENA

# NDJSON stands for a result of one text column, each row as it is and LF.
PROPERTIES = {
    Format.PARQUET: "format = 'PARQUET', compression = 'ZSTD'",
    Format.NDJSON: "format = 'TEXTFILE', compression = 'NONE'",
}


def unload_statement(query: str, uri: str, fmt: Format) -> str:
    """The UNLOAD of a query's result to files in the folder `uri`, which has to be empty."""
    target = exp.Literal.string(f"{uri}/").sql(ATHENA)
    return f"UNLOAD ({query}) TO {target} WITH ({PROPERTIES[fmt]})"
