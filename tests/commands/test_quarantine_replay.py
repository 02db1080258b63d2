"""`quarantine export` and `replay`: rejected lines are repaired and brought back."""

import gzip
import json
from pathlib import Path

import pytest

from healthpipe.quarantine import replay as replaying
from tests.conftest import tree
from tests.support.quarantine import (
    BROKEN,
    LIST,
    NAMELESS,
    RAW,
    answers,
    export,
    ids_of,
    mend,
    record,
    replayed,
)


def test_the_exported_are_the_rejected_lines_byte_for_byte_in_input_order(rejecting, cli):
    lines = [BROKEN, b"\xff\x00\x01", LIST, NAMELESS, b" x\t"]
    rejecting(b"\r\n".join([lines[0], record("F1"), *lines[1:]]))

    assert export(cli) == lines
    assert export(cli, "--reason", "not_object") == [LIST]


def test_a_mended_line_appears_once_and_its_old_line_counts_as_resolved(rejecting, cli):
    run = rejecting(record("F1") + b"\n" + BROKEN + b"\n" + LIST + b"\n")

    outcome = cli("quarantine", "replay", mend(record("F2")))

    assert outcome.code == 0
    (path,) = replayed()
    assert outcome.out == f"{path}\n"
    assert path.read_bytes() == record("F2") + b"\n"
    assert len(path.parent.name) == len("2026-01-05")

    by_hand = cli("extract", "--json")
    expected = {"lines": 4, "accepted": 2, "rejected": 2, "superseded": 0, "resolved": 1}
    assert by_hand.document["records"] == expected
    assert ids_of(by_hand) == ["F1", "F2"]
    anyway = ("orchestrate", "--max-rejects", "2")
    assert cli(*anyway, "--json").document["records"] == expected
    kept = json.loads(Path("data/runs", by_hand.document["run_id"], "run.json").read_text())
    assert kept["records"] == expected
    assert "2 rejected (1 resolved)" in cli("extract").err
    assert "2 rejected (1 resolved)" in cli(*anyway, "--force").err

    listed = cli("quarantine", "list", run, "--by", "file", "--json").document
    assert listed["records"] == {"rejected": 2, "resolved": 1}
    shown = cli("quarantine", "show", run, "--json").document["lines"]
    assert [line["resolved"] for line in shown] == [True, False]
    assert export(cli, run) == [LIST]
    assert export(cli, run, "--all") == [BROKEN, LIST]


def test_lines_mended_in_place_answer_by_their_place(rejecting, cli, quarantine):
    rejecting(b"\n".join([BROKEN, NAMELESS, LIST, b"x"]))

    export(cli)
    document = quarantine("replay", mend(record("A"), NAMELESS, record("B"), b"x", ending=b"\r\n"))

    assert (document["mended"], document["unmended"], document["answered"]) == (2, 2, 2)
    assert document["is_new"]
    assert Path(document["path"]).read_bytes() == record("A") + b"\n" + record("B") + b"\n"
    assert document["bytes"] == Path(document["path"]).stat().st_size
    (noted,) = answers()
    assert (noted["schema_version"], noted["run_id"]) == (1, document["run_id"])
    assert noted["replayed"] == document["path"]
    assert [line["reasons"] for line in noted["lines"]] == [["not_json"], ["not_object"]]
    assert {line["source"] for line in noted["lines"]} == {"2026-01-05/a.jsonl"}
    assert all(set(line) == {"digest", "source", "reasons"} for line in noted["lines"])
    assert export(cli) == [NAMELESS, b"x"]


@pytest.mark.parametrize("command", ["extract", "orchestrate"])
def test_lines_that_are_all_answered_are_no_news_every_morning(rejecting, cli, command):
    rejecting(record("F1") + b"\n" + BROKEN + b"\n")
    assert "rejected: 1 not_json" in cli("extract", "--quiet").err
    cli("quarantine", "replay", mend(record("F2")))

    assert "rejected" not in cli(command, "--quiet").err
    assert "rejected: 1 not_json" in cli(command, *["--force"] * (command == "orchestrate")).err


def test_of_equal_lines_as_many_are_resolved_as_were_mended(rejecting, cli, quarantine):
    rejecting(b"x\nx\nx\n")

    quarantine("replay", mend(record("A"), b"x", record("B")))

    assert cli("extract", "--json").document["records"]["resolved"] == 2
    assert export(cli) == [b"x"]


def test_the_same_content_twice_adds_nothing(rejecting, cli, tmp_path):
    rejecting(BROKEN + b"\n" + LIST + b"\n")
    cli("quarantine", "replay", mend(record("F2"), LIST))
    yesterday = Path("data/raw/2026-01-01", replayed()[0].name)
    yesterday.parent.mkdir()
    replayed()[0].rename(yesterday)
    before = tree(tmp_path)

    outcome = cli("quarantine", "replay", mend(record("F2"), LIST))

    assert (outcome.code, outcome.out) == (0, f"{yesterday}\n")
    assert "nothing was added" in outcome.err
    assert tree(tmp_path) == before


def test_nothing_is_resolved_while_the_mended_record_is_not_read(rejecting, cli):
    rejecting(BROKEN + b"\n")
    cli("quarantine", "replay", mend(record("F2")))
    assert cli("extract", "data/raw", "--json").document["records"]["resolved"] == 1

    assert cli("extract", RAW.parent, "--json").document["records"]["resolved"] == 0
    replayed()[0].unlink()
    assert cli("extract", "--json").document["records"]["resolved"] == 0
    assert cli("quarantine", "replay", mend(record("F2"))).out.strip() == str(replayed()[0])
    assert cli("extract", "--json").document["records"]["resolved"] == 1


def test_a_replay_killed_before_the_answers_were_noted_is_finished_by_the_next(
    rejecting, cli, monkeypatch
):
    rejecting(BROKEN + b"\n")
    with monkeypatch.context() as patched:
        patched.setattr(replaying, "record_resolutions", lambda *_: 1 / 0)
        assert cli("quarantine", "replay", mend(record("F2"))).code == 1
    assert cli("extract", "--json").document["records"]["resolved"] == 0

    assert cli("quarantine", "replay", mend(record("F2")), "--run", newest_with(1)).code == 0

    assert len(replayed()) == 1
    assert cli("extract", "--json").document["records"]["resolved"] == 1


def newest_with(files: int) -> str:
    """A run that read that many files."""
    manifests = Path("data/runs").glob("*/inputs.json")
    held = {path.parent.name: len(json.loads(path.read_text())["files"]) for path in manifests}
    return next(name for name, count in held.items() if count == files)


@pytest.mark.parametrize("broken", [b"still not json", b"{}", b"\xff", BROKEN[:-1]])
def test_a_line_that_is_broken_still_is_refused_with_nothing_written(
    rejecting, cli, tmp_path, broken
):
    rejecting(BROKEN + b"\n" + LIST + b"\n")
    mend(record("F2"), b"", broken)
    before = tree(tmp_path)

    outcome = cli("quarantine", "replay", "mend.ndjson", "--json")

    assert outcome.code == 2
    assert outcome.document["command"] == "quarantine replay"
    assert outcome.document["error"]["code"] == "replay_refused"
    assert outcome.err.startswith("healthpipe: line 3 would still be rejected (")
    assert tree(tmp_path) == before


def test_mended_lines_are_judged_by_the_rules_of_the_run_that_rejected_them(rejecting, cli):
    rejecting(record("F1") + b"\n")
    assert cli("extract", "--strict", "--json").document["records"]["rejected"] == 1

    outcome = cli("quarantine", "replay", mend(record("F1") + b" "))
    assert outcome.code == 2
    assert "facility_name_missing" in outcome.err
    whole = {"facility_name": "x", "location": {"state": "CA"}}
    mended = json.dumps(json.loads(record("F1")) | whole).encode()
    assert cli("quarantine", "replay", mend(mended)).code == 0
    assert cli("extract", "--strict", "--json").document["records"]["resolved"] == 1


@pytest.mark.parametrize(
    ("rejected", "mended"),
    [
        pytest.param([BROKEN, LIST], ["F3"], id="none names it"),
        pytest.param([BROKEN, BROKEN + b" ", LIST], ["F2"], id="several name it"),
        pytest.param([BROKEN, LIST, LIST], ["F2", "F2"], id="two answer one"),
        pytest.param([b'"42 Main St, Suite 42 B", 142', LIST], ["42"], id="part of a text"),
    ],
)
def test_lines_that_do_not_tell_what_they_answer_are_refused(
    rejecting, cli, tmp_path, rejected, mended
):
    rejecting(b"\n".join(rejected))
    mend(*map(record, mended))
    before = tree(tmp_path)

    outcome = cli("quarantine", "replay", "mend.ndjson")

    assert outcome.code == 2
    assert "--source" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "line",
    [
        b'{"facility_id: "F2"}',
        b'{"facility_id": " F2\\t", ',
        b'{"facility_id": "\\u0046\\u0032",}',
        b'["F2", "x"]',
        b'{"facility_id": \xff, "F2"',
    ],
)
def test_a_line_is_found_by_the_id_in_it(rejecting, cli, quarantine, line):
    rejecting(b"\n".join([LIST, line, NAMELESS]))

    assert quarantine("replay", mend(record("F2")))["answered"] == 1
    assert export(cli) == [LIST, NAMELESS]


def test_an_id_that_is_a_number_is_found(rejecting, cli):
    rejecting(b"\n".join([b'{"facility_id": 42, "x"}', b'{"facility_id": 421, "x"}']))

    assert cli("quarantine", "replay", mend(record("42"))).code == 0


def test_filters_narrow_what_is_answered(rejecting, cli, quarantine):
    rejecting(BROKEN + b"\n", **{"data/raw/b.jsonl": BROKEN + b"\n" + NAMELESS})

    assert quarantine("replay", mend(record("F2")), "--source", "b.jsonl")["answered"] == 1
    assert (
        quarantine("replay", mend(record("N")), "--reason", "facility_id_missing")["answered"] == 1
    )

    rows = cli("quarantine", "list", "--by", "file").out
    assert rows == "b.jsonl\t2\t2\n2026-01-05/a.jsonl\t1\t0\n"


def test_mended_lines_may_come_from_standard_input_or_a_gzip(rejecting, cli):
    rejecting(BROKEN + b"\n" + LIST + b"\n")

    assert cli("quarantine", "replay", "-", stdin=record("F2")).code == 0
    Path("mend.gz").write_bytes(gzip.compress(record("F3")))
    assert cli("quarantine", "replay", "mend.gz").code == 0
    assert cli("extract", "--json").document["records"]["resolved"] == 2


GLUED = b'{"facility_id": "A"}, {"facility_id": "B"}'


def test_records_of_one_line_resolve_that_line_and_no_other(rejecting, cli, quarantine):
    rejecting(b"\n".join([LIST, GLUED, NAMELESS]))

    document = quarantine("replay", mend(record("A"), record("B")))

    assert (document["mended"], document["answered"]) == (2, 1)
    assert export(cli) == [LIST, NAMELESS]


@pytest.mark.parametrize("others", [[BROKEN], [BROKEN, LIST]], ids=["as many", "fewer"])
def test_records_of_one_line_resolve_it_whatever_their_number(rejecting, cli, quarantine, others):
    """As many repaired lines as rejected ones, but not one for each."""
    rejecting(b"\n".join([*others, GLUED]))

    assert quarantine("replay", mend(record("A"), record("B")))["answered"] == 1

    assert export(cli) == others
    document = cli("extract", "--json").document
    assert (document["records"]["accepted"], document["records"]["resolved"]) == (2, 1)


def test_a_record_of_another_file_resolves_nothing(rejecting, cli, tmp_path):
    rejecting(BROKEN + b"\n" + LIST + b"\n[" + record("A") + b"," + record("B") + b"]\n")
    mend(record("A"), record("B"), record("C"))
    before = tree(tmp_path)

    assert cli("quarantine", "replay", "mend.ndjson").code == 2
    assert tree(tmp_path) == before


def test_a_rejected_item_of_a_line_is_repaired_like_a_line(rejecting, cli, quarantine):
    rejecting(record("F1") + b"\n[" + record("F2") + b", " + NAMELESS + b"]\n" + LIST)
    (item, _) = quarantine("show")["lines"]
    assert (item["number"], item["item"], item["line"]) == (2, 2, NAMELESS.decode())

    assert export(cli, "--reason", "facility_id_missing") == [NAMELESS]
    replayed = ("replay", mend(record("N")), "--reason", "facility_id_missing")
    assert quarantine(*replayed)["answered"] == 1

    assert export(cli) == [LIST]
    expected = {"lines": 5, "accepted": 3, "rejected": 2, "superseded": 0, "resolved": 1}
    assert cli("extract", "--json").document["records"] == expected


def test_mended_records_may_come_in_an_array_on_a_line(rejecting, cli, quarantine):
    rejecting(BROKEN + b"\n" + LIST + b"\n")

    both = b"[" + record("A") + b"," + record("B") + b"]"
    assert quarantine("replay", mend(both))["answered"] == 2


def test_mended_records_may_come_as_a_pretty_printed_list(rejecting, cli, quarantine):
    rejecting(BROKEN + b"\n" + LIST + b"\n")
    both = [json.loads(record(name)) for name in ("A", "B")]
    Path("mend.json").write_text(json.dumps(both, indent=2))

    assert quarantine("replay", "mend.json")["answered"] == 2
    assert cli("extract", "--json").document["records"]["accepted"] == 2


def test_an_export_overwrites_what_somebody_edits_only_with_force(rejecting, cli, tmp_path):
    rejecting(BROKEN + b"\n")
    command = ("quarantine", "export", "-o", "mend.ndjson")
    edited = tmp_path / "mend.ndjson"
    assert cli(*command).code == 0
    edited.write_text("an hour of work\n")

    outcome = cli(*command)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "healthpipe: -o mend.ndjson is there already;"
        " name another file, or overwrite this one with --force\n"
    )
    assert edited.read_text() == "an hour of work\n"
    assert cli(*command, "--force").code == 0
    assert edited.read_bytes() == BROKEN + b"\n"


@pytest.mark.parametrize("output", ["-", "/dev/null"])
def test_what_is_no_file_needs_no_force(rejecting, cli, output):
    rejecting(BROKEN + b"\n")
    assert cli("quarantine", "export", "-o", output).code == 0


def test_an_export_that_nobody_mended_adds_nothing(rejecting, cli, tmp_path):
    rejecting(LIST + b"\n" + b'{"facility_id": "F2", "services": [' + b"\n")
    export(cli, "--reason", "not_json")
    before = tree(tmp_path)

    outcome = cli("quarantine", "replay", "mend.ndjson")

    assert (outcome.code, outcome.out) == (0, "")
    assert "1 left as they were" in outcome.err
    assert tree(tmp_path) == before


def test_a_damaged_gzip_of_mended_lines_is_refused(rejecting, cli):
    rejecting(BROKEN + b"\n")
    Path("mend.gz").write_bytes(gzip.compress(record("F2"))[:-9])

    outcome = cli("quarantine", "replay", "mend.gz")

    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
