"""What tests of records share: run a stage or the workflow, and read what it left."""

from pathlib import Path

import pytest

from tests.conftest import AS_OF
from tests.support.records import StageResult, csv_rows, parquet_rows


@pytest.fixture
def result(cli, rig, tmp_path_factory):
    """Run a stage."""
    output = tmp_path_factory.mktemp("output") / "x.csv"

    def call(*arguments, as_of=AS_OF) -> StageResult:
        outcome = cli(*arguments, "--as-of", as_of, "-o", output, "--json")
        document = outcome.document
        has_nothing_accepted = 0 < document["records"]["lines"] == document["records"]["rejected"]
        assert outcome.code == (3 if has_nothing_accepted else 0), outcome.err
        return StageResult(
            csv_rows(output.read_bytes().decode()),
            document["records"],
            document["issues"],
            parquet_rows(rig.kept(document["run_id"], "rejects.parquet")),
        )

    return call


@pytest.fixture
def published(cli, rig):
    """Publish, however many records break a rule, and return the live files by name."""

    def call(*arguments) -> dict[str, Path]:
        outcome = cli("orchestrate", *arguments, "--as-of", AS_OF, "--max-issues", "100%")
        assert outcome.code == 0, outcome.err
        return rig.published(rig.pointer())

    return call
