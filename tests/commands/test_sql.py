"""`sql`: the statements of a stage, for anybody to run."""

import duckdb
import pytest

from tests.conftest import AS_OF

FILES = {
    "extract": ["extract.parquet"],
    "filter-expiring": ["expiring.ndjson"],
    "state-counts": ["state-counts.csv"],
}


def rows_of(path) -> list:
    if path.suffix == ".parquet":
        return duckdb.read_parquet(str(path)).fetchall()
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("stage", FILES)
def test_the_statements_run_by_anybody_give_the_result_of_the_stage(cli, examples, tmp_path, stage):
    statements = cli("sql", stage, "examples", "--as-of", AS_OF, "--json").document["statements"]
    place = tmp_path / "data" / "runs" / "RUN_ID"
    (place / stage).mkdir(parents=True)
    with duckdb.connect() as connection:
        for statement in statements:
            connection.execute(statement)

    done = cli(stage, "examples", "--as-of", AS_OF, "--json").document
    for name in FILES[stage]:
        expected = tmp_path / "data" / "runs" / done["run_id"] / stage / name
        assert rows_of(place / stage / name) == rows_of(expected)
    rejected = tmp_path / "data" / "runs" / done["run_id"] / "rejects.parquet"
    assert rows_of(place / "rejects.parquet") == rows_of(rejected)


def test_the_script_is_the_statements_each_ended(cli, examples):
    statements = cli("sql", "extract", "examples", "--as-of", AS_OF, "--json").document[
        "statements"
    ]
    script = cli("sql", "extract", "examples", "--as-of", AS_OF).out
    assert script == "".join(f"{statement.strip()};\n\n" for statement in statements)
