"""`state-counts`: its table and the JSON twin that says where it comes from."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import AS_OF
from tests.support.results import rows_of


def test_counts_of_states_have_a_twin_that_says_where_they_come_from(cli, examples, tmp_path):
    document = cli("state-counts", "examples", "--as-of", AS_OF, "--json").document

    main, twin = document["output"]["files"]
    assert document["output"]["path"] == main["path"]
    assert (main["format"], twin["format"]) == ("csv", "json")
    content = json.loads(Path(twin["path"]).read_text())
    assert content["metadata"].pop("generated_at").startswith("20")
    assert content["metadata"] == {
        "run_id": document["run_id"],
        "as_of": AS_OF,
        "sources": ["examples"],
        "engine": "duckdb",
        "query_ids": [],
    }
    rows = list(csv.DictReader(Path(main["path"]).read_text().splitlines()))
    assert [{k: str(v) for k, v in row.items()} for row in content["rows"]] == rows


def test_a_named_file_has_no_twin_beside_it(cli, examples, tmp_path):
    cli("state-counts", "examples", "-o", tmp_path / "out.csv")

    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]


@pytest.mark.parametrize(
    ("suffix", "fmt"),
    [(".parquet", "parquet"), (".csv", "csv"), (".jsonl", "ndjson"), (".json", "json")],
)
def test_the_suffix_decides_the_format(cli, examples, tmp_path, suffix, fmt):
    cli("state-counts", "examples", "-o", tmp_path / f"x{suffix}")

    assert rows_of("state-counts", fmt, tmp_path / f"x{suffix}") > 0
