"""Types of columns: as DuckDB names them, as Trino writes them in SQL, and as Glue keeps them."""

from collections.abc import Mapping

from sqlglot import exp

from healthpipe.engines.sql_files import ATHENA

# In DuckDB's order of columns: the name of each, and its type as DuckDB writes it.
Types = Mapping[str, str]

# DuckDB's sums of whole numbers; Trino knows no such type.
_HUGE, _WIDE = "HUGEINT", "DECIMAL(38,0)"


def for_trino(duckdb_type: str) -> str:
    """A type in Trino's SQL: `ARRAY(ROW(kind VARCHAR))`."""
    return _built(duckdb_type).sql(ATHENA)


def for_glue(duckdb_type: str) -> str:
    """A type as Hive writes it, in lower case: `array<struct<kind:string>>`."""
    text = _built(duckdb_type).sql("hive").lower()
    return text.replace("`", "").replace(": ", ":").replace(", ", ",")


def _built(duckdb_type: str) -> exp.DataType:
    return exp.DataType.build(duckdb_type.replace(_HUGE, _WIDE), dialect="duckdb")


def cast_to(text: str, types: Types) -> str:
    """A query's columns `types` alone, each of exactly its type."""
    columns = ", ".join(
        f'CAST("result"."{name}" AS {for_trino(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f'SELECT {columns} FROM ({text}) AS "result"'


def no_rows(types: Types) -> str:
    """A query of columns without rows."""
    columns = ", ".join(
        f'CAST(NULL AS {for_trino(kind)}) AS "{name}"' for name, kind in types.items()
    )
    return f"SELECT {columns} WHERE FALSE"
