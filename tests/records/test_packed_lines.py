"""A line that is an array or a wrapper holds several records, or none: they count as records."""

import json
from pathlib import Path

import duckdb
import pytest

from healthpipe.ingest import lander
from healthpipe.workflow.steps import compute as computing
from tests.conftest import AS_OF
from tests.support.records import LATER, facility

A, B, C, D = (json.dumps(facility(name, LATER)) for name in "ABCD")
BROKEN = '{"facility_id": "X", broken'
# Each begins with an ordinary line, so that the file is newline-delimited, and holds A and B.
FILES = {
    "an array": f"{A}\n[{B}]\n",
    "an array of several": f"{C}\n[{A}, {B}]\n",
    "arrays in an array": f"{A}\n[[], [[{B}]]]\n",
    "arrays glued together": f"{D}\n[{A}][{B}]\n",
    "a wrapper": f'{A}\n{{"page": 2, "data": [{B}]}}\n',
    "wrappers glued together": f'{D}\n{{"data": [{A}]}} {{"data": [{B}]}}\n',
    "pages in an array": f'{D}\n[{{"data": [{A}]}}, {{"n": 0, "data": []}}, {B}]\n',
    "a wrapper in a wrapper": f'{A}\n{{"pages": [{{"data": [{B}]}}]}}\n',
    "nothing": f'{A}\n[]\n{{"data": []}}\n{B}\n[[], []]\n',
    "blanks before it": f"{A}\n \t[{B}] \n",
    "one line that is nothing but an array above ordinary ones": f"[{A}]\n{B}\n",
}
# What has a key of a record at its top level is a record, and what holds no object is no container.
RECORDS = {
    "a record with one list": '{"labs": [{"facility_id": "Z"}]}',
    "a record with an empty list": '{"services": []}',
    "a record by a key without a value": '{"snapshot_date": null, "data": [{"facility_id": "Z"}]}',
    "two lists of objects": '{"a": [{"facility_id": "Z"}], "b": [{"facility_id": "Y"}]}',
    "two empty lists": '{"a": [], "b": []}',
    "no list": '{"data": {"facility_id": "Z"}}',
    "a list of lists": '{"data": [[{"facility_id": "Z"}]]}',
    "an array of scalars": '[1, "{", null]',
    "a record behind a record": f"{C}{D}",
    "an array that breaks off": f"[{C}, {D}",
    "an array with text behind it": f"[{C}] and more",
}


@pytest.mark.pitfall(5, 6, 7)
@pytest.mark.every_engine
@pytest.mark.parametrize("name", FILES)
def test_the_records_of_a_line_are_records(result, tmp_path, name):
    (tmp_path / "in.jsonl").write_text(FILES[name])

    ids = [row[0] for row in result("extract", "in.jsonl").rows]

    assert [each for each in ids if each in "AB"] == ["A", "B"]


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("among_packed", [False, True], ids=["alone", "beside an array"])
def test_what_is_no_container_stays_a_line_byte_for_byte(cli, tmp_path, name, among_packed):
    line = RECORDS[name]
    (tmp_path / "in.jsonl").write_text(f"{A}\n{line}\n" + f"[{B}]\n" * among_packed)

    document = cli("extract", "in.jsonl", "--json").document

    assert document["records"]["rejected"] == 1
    assert document["records"]["accepted"] == 1 + among_packed
    assert rejected_lines(document) == [line]


def rejected_lines(document):
    path = f"data/runs/{document['run_id']}/rejects.parquet"
    return [bytes(line).decode() for (line,) in duckdb.sql(f"select line from '{path}'").fetchall()]


@pytest.mark.parametrize("command", ["filter-expiring", "orchestrate"])
def test_ordinary_lines_beside_it_stay_byte_for_byte(cli, tmp_path, command):
    spaced = f' {{ "facility_id" :"S", "accreditations":[{{"valid_until":"{LATER}"}}] }} '
    lines = [spaced, f"[{A},  {B} ]", BROKEN, '{"n":1}', "\tnull", "x"]
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/in.jsonl").write_text("\r\n".join(lines))

    anyway = ["--max-rejects", "100%"] if command == "orchestrate" else []

    document = cli(command, "--as-of", AS_OF, *anyway, "--json").document

    counts = {"lines": 7, "accepted": 3, "rejected": 4, "superseded": 0, "resolved": 0}
    assert document["records"] == counts
    assert sorted(rejected_lines(document)) == sorted(lines[2:])
    found = cli("current", "filter-expiring", "-o", "-") if command == "orchestrate" else None
    text = found.out if found else Path(document["output"]["path"]).read_text()
    assert text.splitlines() == [spaced, A, B]


def test_the_source_of_its_records_is_the_file(cli, tmp_path):
    (tmp_path / "in.jsonl").write_text(f'{A}\n[{B}, {{"n": 1}}]\n[{C}]\n')

    document = cli("extract", "in.jsonl", "--json").document

    balance = json.loads(Path(f"data/runs/{document['run_id']}/balance.json").read_text())
    assert [(file["source"], file["lines"]) for file in balance["files"]] == [("in.jsonl", 4)]
    (file,) = json.loads(Path(f"data/runs/{document['run_id']}/inputs.json").read_text())["files"]
    assert (file["shape"], file["landed_lines"]) == ("ndjson", 4)


def test_only_files_with_such_lines_are_rewritten(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for name, text in {"a": FILES["an array"], "b": A, "c": f"{C}\n{BROKEN}\n[1]\n{{}}\n"}.items():
        (tmp_path / f"in/{name}.jsonl").write_text(text)

    document = cli("extract", "in", "--json").document

    files = json.loads(Path(f"data/runs/{document['run_id']}/inputs.json").read_text())["files"]
    assert [bool(file["landed"]) for file in files] == [True, False, False]


def test_a_line_of_many_megabytes_is_unpacked_too(cli, tmp_path):
    pad = "x" * 5_000_000
    wide = [f'{{"facility_id": "{name}", "pad": "{pad}"}}' for name in "AB"]
    (tmp_path / "in.jsonl").write_text(f"{C}\n[{', '.join(wide)}]\n")

    assert cli("extract", "in.jsonl", "--json").document["records"]["accepted"] == 3


def test_a_later_run_reads_the_segment_and_rewrites_nothing(cli, monkeypatch):
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/in.jsonl").write_text(FILES["an array of several"])
    first = cli("orchestrate", "--json").document
    monkeypatch.setattr(lander, "land", lambda *_: 1 / 0)

    second = cli("orchestrate", "--force", "--json").document

    assert second["records"] == first["records"]
    assert second["records"]["accepted"] == 3


def test_a_segment_of_lines_that_were_not_unpacked_is_used_by_nobody(cli, monkeypatch):
    """As a run leaves it that is killed before it rewrites the file."""
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/in.jsonl").write_text(FILES["an array of several"])
    with monkeypatch.context() as patched:
        patched.setattr(computing, "forget_segments", lambda *_: 1 / 0)
        assert cli("orchestrate").code == 1
    assert list(Path("data/curated").glob("*/segment.json"))

    document = cli("orchestrate", "--json").document

    assert (document["records"]["accepted"], document["records"]["rejected"]) == (3, 0)
