"""The quarantine: rejected lines are shown where they stand, mended, and brought back."""

import base64
import gzip
import json
import stat
import sys
from pathlib import Path

import duckdb
import pytest

from healthpipe.contract import MAX_LINE_BYTES, RULES, Reason
from healthpipe.quarantine import replay as replaying
from tests.conftest import tree

RAW = Path("data/raw/2026-01-05/a.jsonl")
BROKEN, NAMELESS, LIST = b'{"facility_id": "F2", broken', b'{"facility_name": "x"}', b"[1]"
BOM = b"\xef\xbb\xbf"


def record(name: str) -> bytes:
    return json.dumps({"facility_id": name, "snapshot_date": "2026-01-05"}).encode()


@pytest.fixture
def rejecting(cli, tmp_path):
    """Put files below raw/, run a stage over them and give the id of that run."""

    def run(content: bytes = b"", **more: bytes) -> str:
        for name, data in {str(RAW): content, **more}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        return cli("extract", "--json").document["run_id"]

    return run


@pytest.fixture
def quarantine(cli):
    """Call a command of the group with --json, for its document; it must succeed."""

    def call(*arguments):
        outcome = cli("quarantine", *arguments, "--json")
        assert outcome.code == 0, outcome.err
        document = outcome.document
        assert document["schema_version"] == 1
        assert document["command"] == f"quarantine {arguments[0]}"
        assert document["status"] == "succeeded"
        return document

    return call


def numbers(document):
    return [line["number"] for line in document["lines"]]


# Where lines stand.


STANDING = {
    "LF": (b"x\n" + record("F1") + b"\ny\n", [1, 3]),
    "CR LF": (b"x\r\n" + record("F1") + b"\r\ny", [1, 3]),
    "CR": (b"x\r" + record("F1") + b"\ry\r", [1, 3]),
    "mixed": (b"x\n\r\ry\r\nz\r\n\nw", [1, 4, 5, 7]),
    "a BOM": (BOM + b"x\n" + BOM + b"y\n", [1, 2]),
    "blank lines": (b"\n \t\n\nx\n\n\t\ny", [4, 7]),
    "equal lines": (b"x\ny\nx\nx\n", [1, 2, 3, 4]),
    "not UTF-8": (b"x\n\xff\n" + record("F1") + b"\n\xff", [1, 2, 4]),
    "set aside": (b"a\x01b\n\xff\n\x01", [1, 2, 3]),
}


def test_numbers_are_those_of_an_editor(rejecting, quarantine):
    plain = {f"data/raw/{name}.jsonl": content for name, (content, _) in STANDING.items()}
    packed = {f"{path}.gz": gzip.compress(content) for path, content in plain.items()}
    rejecting(**plain, **packed)

    shown = quarantine("show", "--limit", "100")["lines"]

    for name, (_, expected) in STANDING.items():
        for suffix in (".jsonl", ".jsonl.gz"):
            found = [line["number"] for line in shown if line["source"] == name + suffix]
            assert found == expected, name


def test_equal_lines_keep_their_numbers_whichever_are_shown(rejecting, quarantine):
    rejecting(b"x\n[]\nx\n[]\nx\n")

    assert numbers(quarantine("show", "--limit", "3")) == [1, 2, 3]
    assert numbers(quarantine("show", "--reason", "not_object")) == [2, 4]


def test_a_line_that_its_file_no_longer_holds_has_no_number(rejecting, cli, quarantine):
    rejecting(b"x\ny\n")
    RAW.write_bytes(b"\ny\n")
    assert numbers(quarantine("show")) == [None, 2]

    RAW.unlink()
    assert numbers(quarantine("show")) == [None, None]
    assert cli("quarantine", "show").out.splitlines()[0].split("\t")[1] == "?"


def test_the_records_of_a_container_are_numbered_as_its_items(rejecting, cli, quarantine):
    rejecting(b'[\n {"facility_id": "F1"},\n [1], {"facility_name": "x"},\n [1]\n]')

    shown = quarantine("show")["lines"]

    assert [(line["numbered_by"], line["number"]) for line in shown] == [
        ("item", 2),
        ("item", 3),
        ("item", 4),
    ]
    assert "\titem 3\t" in cli("quarantine", "show").out


# What is shown.


def test_lines_are_shown_as_they_came_with_all_their_reasons(rejecting, quarantine, cli):
    text = '{"facility_name": "Zoë [bold] \\u00e9",\t"employee_count": "x"}'
    rejecting(text.encode() + b"\n")

    (line,) = quarantine("show")["lines"]
    reasons = [Reason.FACILITY_ID_MISSING, Reason.EMPLOYEE_COUNT_INVALID, Reason.STATE_MISSING]
    assert line == {
        "source": "2026-01-05/a.jsonl",
        "number": 1,
        "numbered_by": "line",
        "reasons": reasons,
        "resolved": False,
        "line": text,
        "encoding": "utf-8",
    }
    row = ["2026-01-05/a.jsonl", "1", ", ".join(reasons), text]
    assert cli("quarantine", "show").out == "\t".join(row) + "\n"


def test_bytes_that_are_not_utf8_are_shown_in_base64(rejecting, quarantine, cli):
    broken = bytes(range(0x80, 0x100))
    rejecting(broken + b"\n")

    (line,) = quarantine("show")["lines"]
    assert line["encoding"] == "base64"
    assert base64.b64decode(line["line"]) == broken
    shown = cli("quarantine", "show").out.strip().split("\t")[-1]
    assert base64.b64decode(shown.removeprefix("base64:")) == broken


def test_a_line_cannot_steer_the_terminal_that_it_is_shown_on(rejecting, cli, monkeypatch):
    rejecting(b"[red]\x1b]0;title\x07\n")

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    shown = cli("quarantine", "show").out

    assert "[red]\\x1b]0;title\\x07" in shown
    assert "\x1b]0;" not in shown


def test_of_a_whole_file_and_of_what_is_kept_beside_a_file_is_named(rejecting, quarantine, cli):
    huge = b"9" * (2 * MAX_LINE_BYTES + 1)
    cut = gzip.compress(record("F1") * 9)[:-9]
    more = {"data/raw/b.jsonl.gz": cut, "data/raw/c.json": b"[" + record("F1") + b",\n"}
    run = rejecting(b"x\n" + huge + b"\n", **more)

    places = {line["source"]: line.get("look_at") for line in quarantine("show")["lines"]}
    kept = places["2026-01-05/a.jsonl"]
    assert kept.startswith(f"data/runs/{run}/landed/")
    assert Path(kept).read_bytes() == huge
    assert places["b.jsonl.gz"] == "data/raw/b.jsonl.gz"
    assert places["c.json"] == "data/raw/c.json"
    assert f"(look at {kept})" in cli("quarantine", "show").out

    outcome = cli("quarantine", "export", "-o", "-")
    assert outcome.out == "x\n"
    assert "2 files rejected whole" in outcome.err
    assert "1 lines kept in files" in outcome.err


def test_only_some_lines_are_shown_at_once(rejecting, cli, quarantine):
    rejecting(b"x\n" * 25)

    outcome = cli("quarantine", "show")
    assert len(outcome.out.splitlines()) == 20
    assert "5 more" in outcome.err
    document = quarantine("show", "--limit", "3")
    assert (len(document["lines"]), document["total"]) == (3, 25)


# What is counted.


def test_lines_are_counted_by_reason_with_its_meaning(rejecting, quarantine, cli):
    run = rejecting(b"x\n[]\ny\n" + record("F1"))

    document = quarantine("list", run)
    meanings = {rule.reason: rule.meaning for rule in RULES}
    assert document["records"] == {"rejected": 3, "resolved": 0}
    assert document["groups"] == [
        {"reason": "not_json", "lines": 2, "resolved": 0, "meaning": meanings["not_json"]},
        {"reason": "not_object", "lines": 1, "resolved": 0, "meaning": meanings["not_object"]},
    ]
    rows = [line.split("\t") for line in cli("quarantine", "list").out.splitlines()]
    assert rows[1] == ["not_object", "1", "0", meanings["not_object"]]


def test_lines_are_counted_by_file(rejecting, quarantine, cli):
    rejecting(b"x\n[]\n", **{"data/raw/b.jsonl": b"x\n"})

    groups = quarantine("list", "--by", "file")["groups"]
    assert groups == [
        {"file": "2026-01-05/a.jsonl", "lines": 2, "resolved": 0},
        {"file": "b.jsonl", "lines": 1, "resolved": 0},
    ]
    assert quarantine("list", "--source", "b.jsonl")["records"]["rejected"] == 1
    assert cli("quarantine", "list", "--by", "file", "--reason", "not_object").out == (
        "2026-01-05/a.jsonl\t1\t0\n"
    )


def test_the_newest_run_is_meant_unless_one_is_named(rejecting, quarantine):
    first = rejecting(b"x\n")
    second = rejecting(b"x\ny\n")
    killed = Path("data/runs", second, ".attempt", "Curate", "rejects.parquet")
    killed.parent.mkdir(parents=True)
    killed.write_bytes(b"half a file")

    assert quarantine("list")["run_id"] == second
    assert quarantine("list", first)["records"]["rejected"] == 1


@pytest.mark.parametrize("command", ["list", "show", "export", "replay"])
def test_nothing_quarantined_is_a_result(rejecting, cli, command):
    rejecting(record("F1"))
    Path("in.ndjson").write_bytes(b"")
    rest = {"export": ["-o", "-"], "replay": ["in.ndjson"]}.get(command, [])

    outcome = cli("quarantine", command, *rest)

    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith("nothing ")


@pytest.mark.parametrize("run", ["20260101T000000Z-abcdef", "nonsense", "../raw"])
def test_an_unknown_run_is_refused(rejecting, cli, run):
    rejecting(b"x\n")

    outcome = cli("quarantine", "show", run, "--json")

    assert outcome.code == 2
    assert outcome.document["command"] == "quarantine show"
    assert outcome.document["error"]["code"] == "run_not_found"
    assert len(outcome.err.splitlines()) == 1


def test_the_hint_names_both_words_of_the_command(cli):
    assert "`healthpipe quarantine list --help`" in cli("quarantine", "list", "--fast").err
    assert "`healthpipe quarantine --help`" in cli("quarantine", "lst").err


def test_a_root_without_runs_is_refused(cli, tmp_path):
    outcome = cli("quarantine", "list")

    assert outcome.code == 2
    assert "no run" in outcome.err
    assert tree(tmp_path) == set()


def test_options_of_the_group_and_of_a_command_can_be_configured(rejecting, quarantine, tmp_path):
    rejecting(b"x\n" * 5)
    (tmp_path / "healthpipe.toml").write_text(
        "[quarantine]\nlimit = 2\n[quarantine.list]\nby = 'file'\n"
    )

    assert len(quarantine("show")["lines"]) == 2
    assert quarantine("list")["by"] == "file"


@pytest.mark.parametrize("text", ["[quarantine.list]\nlimit = 1\n", "[quarantine.lst]\nby = 1\n"])
def test_an_unknown_key_of_a_nested_command_is_refused(rejecting, cli, tmp_path, text):
    rejecting(b"x\n")
    (tmp_path / "healthpipe.toml").write_text(text)

    outcome = cli("quarantine", "list")

    assert outcome.code == 2
    assert "unknown keys" in outcome.err


# What may be read by whom.


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_holds_rejected_bytes_is_readable_by_its_owner_only(rejecting, cli, tmp_path):
    rejecting(b"x\n" + b"9" * (2 * MAX_LINE_BYTES + 1) + b"\n")
    Path("mend.ndjson").touch(0o644)
    cli("quarantine", "export", "-o", "mend.ndjson")
    cli("orchestrate")

    kept = [
        *tmp_path.glob("data/runs/*/rejects.parquet"),
        *tmp_path.glob("data/runs/*/landed/*.bin"),
    ]
    assert len(kept) == 4
    assert {mode(path) for path in [*kept, Path("mend.ndjson")]} == {0o600}


# What is mended.


def export(cli, *arguments) -> list[bytes]:
    assert cli("quarantine", "export", "-o", "mend.ndjson", *arguments).code == 0
    return Path("mend.ndjson").read_bytes().split(b"\n")[:-1]


def mend(*lines: bytes, ending: bytes = b"\n") -> Path:
    Path("mend.ndjson").write_bytes(b"".join(line + ending for line in lines))
    return Path("mend.ndjson")


def replayed() -> list[Path]:
    return sorted(Path("data/raw").rglob("replayed-*"))


def answers() -> list[dict]:
    return [json.loads(path.read_text()) for path in Path("data/state").rglob("*.json")]


def ids_of(outcome) -> list[str]:
    with duckdb.connect() as connection:
        path = outcome.document["output"]["path"]
        return [
            row[0] for row in connection.execute(f"select facility_id from '{path}'").fetchall()
        ]


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

    assert cli(command, "--quiet").err == ""
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


def test_mended_records_may_come_as_a_pretty_printed_list(rejecting, cli, quarantine):
    rejecting(BROKEN + b"\n" + LIST + b"\n")
    both = [json.loads(record(name)) for name in ("A", "B")]
    Path("mend.json").write_text(json.dumps(both, indent=2))

    assert quarantine("replay", "mend.json")["answered"] == 2
    assert cli("extract", "--json").document["records"]["accepted"] == 2


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


@pytest.mark.parametrize(
    "arguments",
    [
        ["export"],
        ["export", "-o", "-", "--json"],
        ["export", "-o", "data/raw/x.ndjson"],
        ["replay"],
        ["replay", "nowhere.ndjson"],
        ["replay", "data/raw"],
        ["show", "--reason", "nonsense"],
        ["show", "--limit", "0"],
        ["list", "--by", "day"],
    ],
)
def test_bad_use_is_refused_in_one_line(rejecting, cli, tmp_path, arguments):
    rejecting(b"x\n", **{"data/raw/b.jsonl": b""})
    before = tree(tmp_path)

    outcome = cli("quarantine", *arguments)

    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert ";" in outcome.err
    assert tree(tmp_path) == before


def test_values_of_rejected_lines_are_in_no_message_record_or_answer(rejecting, cli, tmp_path):
    secret = b'{"facility_id": "SECRET-1", SECRET\n{"facility_name": "SECRET"}\n"SECRET"\n'
    rejecting(secret)
    said = ""
    for content in (b"SECRET", record("SECRET-2"), record("SECRET-1") * 2, record("SECRET-1")):
        outcome = cli("quarantine", "replay", mend(content), "--json", "--log-format", "json")
        said += outcome.out + outcome.err
    said += cli("quarantine", "export", "-o", "mend.ndjson", "--json").out
    said += cli("quarantine", "list", "--json").out
    for command in (["extract"], ["orchestrate"], ["orchestrate", "--max-rejects", "3"]):
        outcome = cli(*command, "--json")
        said += outcome.out + outcome.err
    assert '"resolved": 1' in said

    kept = [*tmp_path.glob("data/runs/*/*.json"), *tmp_path.glob("data/state/**/*.json")]
    assert len(kept) > 5
    assert "SECRET" not in said + "".join(path.read_text() for path in kept)
    outcome = cli("quarantine", "show")
    assert "SECRET" in outcome.out
    assert "SECRET" not in outcome.err


@pytest.mark.parametrize("command", ["list", "show", "export", "replay"])
def test_help_has_an_example(cli, command):
    assert (
        f"For example: healthpipe quarantine {command}" in cli("quarantine", command, "--help").out
    )
