"""The regular expressions of the SQL, tried in Python and in DuckDB."""

import re

import duckdb


def in_duckdb(query, *values):
    """The first row of a query in DuckDB."""
    with duckdb.connect() as connection:
        return connection.execute(query, values).fetchone()


def matches_in_python(pattern, text):
    return re.search(pattern.replace(r"\z", r"\Z"), text) is not None


def matches_in_duckdb(pattern, text):
    return in_duckdb("select regexp_matches($1, $2)", text, pattern)[0]


def without_in_python(pattern, text):
    return re.sub(pattern.replace(r"\z", r"\Z"), "", text)


def without_in_duckdb(pattern, text):
    return in_duckdb("select regexp_replace($1, $2, '', 'g')", text, pattern)[0]
