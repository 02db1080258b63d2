"""generate-data: the same options, the same bytes, on every day and machine."""

import datetime
import hashlib
import json

import pytest

from healthpipe.generate.records import record_writer
from tests.support.oracle import File, Options, Oracle, judge, parse

SNAPSHOT = "2025-08-10"
CALL = ("generate-data", "--n", "1000", "--chunk", "100", "--snapshot", SNAPSHOT)


def test_ten_files_of_a_hundred_records(cli, tmp_path):
    outcome = cli(*CALL, "--start-index", "21")

    folder = tmp_path / "data" / "raw" / SNAPSHOT
    assert outcome.out == f"data/raw/{SNAPSHOT}\n"
    names = sorted(folder.iterdir(), key=lambda path: int(path.stem.partition("-")[2]))
    assert [path.name for path in names] == [
        f"facilities-{first}.jsonl" for first in range(21, 1021, 100)
    ]
    assert {len(path.read_bytes().splitlines()) for path in names} == {100}


@pytest.mark.pitfall(60)
def test_the_bytes_are_those_of_every_day_and_machine(cli, tmp_path):
    """A golden digest: a change of the generator has to be meant."""
    cli(*CALL, "--start-index", "21")

    digest = hashlib.sha256()
    for first in range(21, 1021, 100):
        path = tmp_path / "data" / "raw" / SNAPSHOT / f"facilities-{first}.jsonl"
        digest.update(path.read_bytes())
    assert digest.hexdigest() == GOLDEN


GOLDEN = "dc5bd0b92be8864950730388b2492224f256abfabfa4bcf1148194f184cc3f1c"


def test_a_record_does_not_depend_on_its_chunk(cli, tmp_path):
    for chunk in ("10", "1000"):
        call = ("generate-data", "--n", "20", "--chunk", chunk, "--snapshot", SNAPSHOT)
        cli(*call, "--outdir", chunk)

    one = b"".join(
        (tmp_path / "10" / SNAPSHOT / f"facilities-{first}.jsonl").read_bytes() for first in (1, 11)
    )
    assert one == (tmp_path / "1000" / SNAPSHOT / "facilities-1.jsonl").read_bytes()


def test_another_seed_or_snapshot_gives_other_records(cli, tmp_path):
    for name, more in {
        "a": ("--snapshot", SNAPSHOT),
        "b": ("--snapshot", SNAPSHOT, "--seed", "7"),
        "c": ("--snapshot", "2025-08-11"),
    }.items():
        cli("generate-data", "--n", "10", "--outdir", name, *more)

    assert len({next(tmp_path.glob(f"{name}/*/*")).read_bytes() for name in "abc"}) == 3


def test_the_same_call_again_changes_nothing(cli, tmp_path):
    cli(*CALL)
    folder = tmp_path / "data" / "raw" / SNAPSHOT
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    outcome = cli(*CALL)

    assert outcome.code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_another_file_of_that_name_is_never_overwritten(cli, tmp_path):
    folder = tmp_path / "data" / "raw" / SNAPSHOT
    folder.mkdir(parents=True)
    (folder / "facilities-501.jsonl").write_text("mine\n")

    outcome = cli(*CALL)

    assert outcome.code == 2
    assert "facilities-501.jsonl" in outcome.err
    assert [path.name for path in folder.iterdir()] == ["facilities-501.jsonl"]
    assert (folder / "facilities-501.jsonl").read_text() == "mine\n"


def test_today_is_said_when_no_snapshot_is_given(cli):
    assert "today in UTC" in cli("generate-data", "--n", "1").err
    assert "today in UTC" not in cli("generate-data", "--n", "1", "--snapshot", SNAPSHOT).err


def test_records_keep_every_rule_and_have_every_kind_of_facility():
    day = datetime.date.fromisoformat(SNAPSHOT)
    lines = [record_writer(42, day)(index).encode() for index in range(1, 2001)]
    verdict = judge([File("a", b"\n".join(lines))])
    oracle = Oracle([File("a", b"\n".join(lines))], Options(day))

    assert verdict.issues == {}
    assert len(verdict.facilities) == 2000
    assert 100 < len(oracle.expiring().splitlines()) < 1000
    assert any(not f.accreditations for f in verdict.facilities)
    assert any(d < day for f in verdict.facilities for d in f.accreditations)
    assert all(json.dumps(json.loads(line)).encode() == line for line in lines)
    assert parse(lines[0])[0] == ""


def test_in_an_empty_folder_the_first_three_commands_give_rows(cli, tmp_path):
    assert cli("generate-data", "--n", "1000").code == 0
    expiring = cli("filter-expiring", "--months", "6", "--json").document
    published = cli("orchestrate", "--json").document

    assert expiring["output"]["rows"] > 0
    assert all(file["rows"] > 0 for file in published["production"]["files"])
