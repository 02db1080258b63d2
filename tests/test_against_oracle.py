"""The three outputs, row by row, against what the contract says in plain Python."""

import csv
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from healthpipe.stages.catalog import STAGES
from healthpipe.stages.options import SnapshotChoice, StageOptions, Window
from healthpipe.storage.layout import Root
from healthpipe.words import Accredited, EngineName, FirstAccreditation
from healthpipe.workflow.one_pass import Request, run_stage
from healthpipe.workflow.orchestrate import orchestrate
from tests.oracle import File, Options, Oracle
from tests.strategies import file_sets, options

FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def stage_options(wanted: Options) -> StageOptions:
    return StageOptions(
        wanted.as_of,
        Window.ahead(
            wanted.as_of,
            months=wanted.months,
            days=wanted.days,
            include_expired=wanted.include_expired,
        ),
        FirstAccreditation(wanted.first),
        Accredited(wanted.accredited),
        wanted.only_accredited,
        SnapshotChoice.parse(wanted.snapshot),
    )


def lay_out(folder: Path, files: list[File]) -> str:
    for file in files:
        path = folder / file.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return str(folder)


def read_extract(path: str) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute("from read_parquet($1)", [path]).fetchall()


def read_counts(path: str) -> list[tuple]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [(row[0], *map(int, row[1:])) for row in list(csv.reader(file))[1:]]


READERS = {
    "extract": (read_extract, Oracle.extract),
    "filter-expiring": (lambda path: Path(path).read_bytes(), Oracle.expiring),
    "state-counts": (read_counts, Oracle.state_counts),
}


def check_by_hand(files: list[File], wanted: Options) -> None:
    oracle = Oracle(files, wanted)
    with tempfile.TemporaryDirectory() as folder:
        source = lay_out(Path(folder, "in"), files)
        for name, (read, expected) in READERS.items():
            stage = STAGES[name]
            request = Request(
                stage, Root(f"{folder}/root"), [source], stage_options(wanted), stage.default_format
            )
            result = run_stage(request)
            assert read(result.path) == expected(oracle), name
            check_account(result.to_json(), result.record_folder, oracle)


def check_account(document: dict, record_folder: str, oracle: Oracle) -> None:
    rejected = oracle.verdict.rejected
    with duckdb.connect() as connection:
        kept = connection.execute(
            "select source, line from read_parquet($1)", [f"{record_folder}/rejects.parquet"]
        ).fetchall()
    assert sorted(kept) == sorted(rejected)
    assert document["records"] == {
        "lines": oracle.verdict.lines,
        "accepted": oracle.verdict.lines - len(rejected),
        "rejected": len(rejected),
        "superseded": oracle.superseded,
    }
    assert document["issues"] == dict(oracle.verdict.issues)


@given(file_sets(), options())
@settings(FUZZ, max_examples=60)
def test_stages_by_hand_agree_with_the_oracle(files, wanted):
    check_by_hand(files, wanted)


@pytest.mark.slow
@given(file_sets(), options())
@settings(FUZZ, max_examples=600)
def test_stages_by_hand_agree_with_the_oracle_on_thousands_of_files(files, wanted):
    check_by_hand(files, wanted)


@given(file_sets(), options())
@settings(FUZZ, max_examples=20)
def test_the_workflow_agrees_with_the_oracle(files, wanted):
    oracle = Oracle(files, wanted)
    with tempfile.TemporaryDirectory() as folder:
        root = Root(f"{folder}/root")
        source = lay_out(Path(folder, "in"), files)
        result = orchestrate(root, [source], stage_options(wanted), EngineName.DUCKDB)
        for file in result.production["files"]:
            read, expected = READERS[file["stage"]]
            assert read(f"{root.uri}/{file['path']}") == expected(oracle), file["stage"]
        check_account(result.to_json(), result.run.uri, oracle)
