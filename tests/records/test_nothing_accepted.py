"""Input of which nothing is accepted: exit 3, and where in the JSON the records seem to lie."""

import gzip
import json

import pytest

from tests.conftest import AS_OF
from tests.support.records import as_line, facility, write_records

RECORDS = [facility(f"F{number}", "2026-03-01") for number in range(5)]
WITHOUT_ID = [{k: v for k, v in record.items() if k != "facility_id"} for record in RECORDS]


@pytest.mark.every_engine
@pytest.mark.parametrize(
    "content",
    [b'{"facility_id": null}\n[1]\n', b"facility_id,state\nF1,CA\n"],
    ids=["lines", "file"],
)
def test_a_stage_of_which_everything_was_rejected_ends_with_3(cli, tmp_path, content):
    (tmp_path / "in.jsonl").write_bytes(content)

    outcome = cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", "out.csv", "--json")

    assert outcome.code == 3
    assert "nothing was accepted" in outcome.err
    assert ("a table in CSV" in outcome.err) is content.startswith(b"facility_id")
    assert "quarantine list" in outcome.err
    assert outcome.document["status"] == "failed"
    assert outcome.document["error"]["code"] == "nothing_accepted"
    assert outcome.document["records"]["accepted"] == 0
    assert outcome.document["issues"]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1


def test_its_result_is_printed_all_the_same(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", {})

    outcome = cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", "-", "--format", "csv")

    assert (outcome.code, outcome.out.count("\n")) == (3, 1)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", b"\x1e\n"], ids=repr)
def test_a_stage_without_any_line_ends_with_0(cli, tmp_path, content):
    (tmp_path / "in.jsonl").write_bytes(content)

    assert cli("extract", "in.jsonl", "--as-of", AS_OF).code == 0


def test_a_stage_with_one_accepted_record_ends_with_0(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", {}, {}, RECORDS[0])

    assert cli("extract", "in.jsonl", "--as-of", AS_OF).code == 0


@pytest.mark.parametrize("content", [b"\n", b"[]"], ids=repr)
def test_a_run_of_files_that_hold_no_record_says_so(cli, tmp_path, content):
    (tmp_path / "in.jsonl").write_bytes(content)

    outcome = cli("orchestrate", "in.jsonl", "--as-of", AS_OF)

    assert outcome.code == 3
    assert "the files hold no record" in outcome.err
    assert "quarantine" not in outcome.err


SHAPES = {
    "attributes": (
        {"data": [{"id": "F1", "attributes": record} for record in WITHOUT_ID]},
        "`data[].attributes`",
    ),
    "a wrapper in a wrapper": (
        {"response": {"status": "ok", "result": {"facilities": RECORDS}}},
        "`response.result.facilities[]`",
    ),
    "by id": ({f"TX-{number}": record for number, record in enumerate(WITHOUT_ID)}, "`*`"),
    "hits": (
        {"took": 3, "hits": {"total": {"value": 5}, "hits": [{"_source": r} for r in RECORDS]}},
        "`hits.hits[]._source`",
    ),
    "features": (
        {"type": "all", "features": [{"geometry": None, "properties": r} for r in RECORDS]},
        "`features[].properties`",
    ),
    "two lists": ({"first": [{"a": 1}], "second": [{"b": 1}]}, "`first[]`, `second[]`"),
}


@pytest.mark.parametrize("command", ["extract", "orchestrate"])
@pytest.mark.parametrize("indent", [None, 1], ids=["a line", "pretty"])
@pytest.mark.parametrize("name", SHAPES)
def test_the_place_of_the_records_is_named_without_values(cli, tmp_path, name, indent, command):
    document, place = SHAPES[name]
    (tmp_path / "in.json").write_text(json.dumps(document, indent=indent))

    outcome = cli(command, "in.json", "--as-of", AS_OF)

    assert outcome.code == 3
    assert f"in.json: {'lists' if name == 'two lists' else 'records'}" in outcome.err
    assert place in outcome.err
    assert "TX-" not in outcome.err


def test_of_plain_records_no_place_is_named(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", *WITHOUT_ID)

    outcome = cli("extract", "in.jsonl", "--as-of", AS_OF)

    assert outcome.code == 3
    assert "seem to lie" not in outcome.err


@pytest.mark.every_engine
def test_the_gate_counts_a_rejected_file_with_the_records_that_it_seems_to_hold(cli, tmp_path):
    lines = b"".join(as_line(facility(f"C{number}")) + b"\n" for number in range(30))
    write_records(tmp_path / "in" / "good.jsonl", *(facility(f"F{n}") for n in range(69)))
    (tmp_path / "in" / "cut.jsonl.gz").write_bytes(gzip.compress(lines)[:-4])

    allowed = ["--max-rejected-files", "1"]
    outcome = cli("orchestrate", "in", "--as-of", AS_OF, *allowed)
    lenient = cli("orchestrate", "in", "--as-of", AS_OF, *allowed, "--max-rejects", "30")

    assert outcome.code == 3
    assert "rejected lines 30 of 99" in outcome.err
    assert lenient.code == 0, lenient.err
