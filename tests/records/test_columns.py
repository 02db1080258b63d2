"""Columns and types of every output, as described and as other tools read them."""

from pathlib import Path

import duckdb
import pandas
import polars
import pytest

from healthpipe.engines.sql import columns
from healthpipe.stages.catalog import STAGES, VIEWS
from tests.conftest import AS_OF

# How each output is asked for.
CALLS = {
    "extract": ("extract",),
    "expiring": ("filter-expiring",),
    "expiring-annotated": ("filter-expiring", "--annotate"),
    "expiring-accreditations": ("filter-expiring", "--grain", "accreditation"),
    "state-counts": ("state-counts",),
    "expiry-calendar": ("expiry-calendar",),
    **{view.name: ("normalize",) for view in STAGES["normalize"].views},
}
POLARS_TYPES = {
    "VARCHAR": polars.String,
    "DATE": polars.Date,
    "INTEGER": polars.Int32,
    "BIGINT": polars.Int64,
    "DECIMAL(38,0)": polars.Decimal(38, 0),
}


@pytest.fixture
def parquet(cli, examples):
    """The Parquet file of an output on the example records."""

    def write(name: str) -> Path:
        output = cli(
            *CALLS[name], "examples", "--as-of", AS_OF, "--format", "parquet", "--json"
        ).document["output"]
        files = output.get("files", [output])
        return Path(next(file["path"] for file in files if file["view"] == name))

    return write


def test_there_is_a_call_for_every_output_of_a_stage():
    assert set(CALLS) == set(VIEWS) - {"rejects", "issues"}


@pytest.mark.parametrize("name", CALLS)
def test_an_output_has_the_columns_and_types_that_are_told_of_it(parquet, name):
    path = str(parquet(name))

    with duckdb.connect() as connection:
        described = connection.execute("describe from read_parquet($1)", [path]).fetchall()
    told = columns(VIEWS[name].sql_name)
    assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in told]
    assert all(len(column.meaning) > 5 for column in told)


@pytest.mark.parametrize("name", ["rejects", "issues"])
def test_what_every_run_leaves_has_the_columns_that_are_told_of_it(cli, examples, name):
    run = cli("extract", "examples", "--json").document["run_id"]

    with duckdb.connect() as connection:
        described = connection.execute(f"describe from 'data/runs/{run}/{name}.parquet'").fetchall()
    assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in columns(name)]


@pytest.mark.parametrize("name", CALLS)
def test_pandas_and_polars_read_the_same_rows_and_types_as_duckdb(parquet, name):
    path = parquet(name)
    told = columns(VIEWS[name].sql_name)

    with duckdb.connect() as connection:
        rows = connection.execute("from read_parquet($1)", [str(path)]).fetchall()
    by_polars = polars.read_parquet(path)
    assert by_polars.rows() == rows
    assert dict(by_polars.schema) == {c.name: POLARS_TYPES[c.type] for c in told}
    by_pandas = pandas.read_parquet(path, dtype_backend="pyarrow")
    values = by_pandas.astype(object).where(by_pandas.notna(), None)
    assert list(values.itertuples(index=False, name=None)) == rows
