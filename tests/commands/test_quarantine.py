"""`quarantine list` and `show`: rejected lines are shown where they stand."""

import base64
import gzip
import stat
import sys
from pathlib import Path

import pytest

from healthpipe.contract import MAX_LINE_BYTES, RULES, Reason
from tests.conftest import tree
from tests.support.quarantine import RAW, mend, numbers, record

BOM = b"\xef\xbb\xbf"
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
    rejecting(b"x\n[1]\nx\n[1]\nx\n")

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

    assert [(line["number"], line["item"], line["line"]) for line in shown] == [
        (3, 2, "1"),
        (3, 3, '{"facility_name": "x"}'),
        (4, 4, "1"),
    ]
    assert "\t3#3\t" in cli("quarantine", "show").out


PLACES = {
    "an array on a line": (b'{"facility_id":"1"}\n\n[{}, {"facility_id":"2"}, {}]', ["3#1", "3#3"]),
    "arrays on a line": (b'{"facility_id": "F1"}\n[{}][[{}], {}]\n{}', ["2#1", "2#2", "2#3", "3"]),
    "pages on a line each": (b'{"data": [{}]}\r\n{"data": [{}, {}]}\r\n', ["1#1", "2#1", "2#2"]),
    "pretty pages": (b'{\n "a": [\n  {},\n  {}]\n}\n{\n "a": [\r\n {}]}', ["3#1", "4#2", "8#1"]),
    "pretty arrays": (b"[\r\r {\r}\r,{}]\n[{}]", ["3#1", "5#2", "6#1"]),
    "objects": (b'{"n":\n1}\n\n{"n":\n2}{}', ["1", "4", "5"]),
    "arrays in an array": (b"[[{},\n [{}]],\n{}]", ["1#1", "2#2", "3#3"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_record_of_a_container_is_named_by_its_line_and_its_number_there(
    rejecting, cli, tmp_path, name, packed
):
    content, expected = PLACES[name]
    suffix = ".json.gz" if packed else ".json"
    rejecting(b"", **{f"data/raw/b{suffix}": gzip.compress(content) if packed else content})
    for path in tmp_path.glob("data/runs/*/landed/*.ndjson"):
        path.unlink()

    shown = [row.split("\t") for row in cli("quarantine", "show").out.splitlines()]

    assert [row[1] for row in shown] == expected


def test_lines_are_shown_as_they_came_with_all_their_reasons(rejecting, quarantine, cli):
    text = '{"facility_name": "Zoë [bold] \\u00e9",\t"employee_count": "x"}'
    rejecting(text.encode() + b"\n")

    (line,) = quarantine("show")["lines"]
    reasons = [Reason.FACILITY_ID_MISSING, Reason.EMPLOYEE_COUNT_INVALID, Reason.STATE_MISSING]
    assert line == {
        "source": "2026-01-05/a.jsonl",
        "number": 1,
        "item": None,
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


def test_lines_are_counted_by_reason_with_its_meaning(rejecting, quarantine, cli):
    run = rejecting(b"x\n[1]\ny\n" + record("F1"))

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
    rejecting(b"x\n[1]\n", **{"data/raw/b.jsonl": b"x\n"})

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


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_holds_rejected_bytes_is_readable_by_its_owner_only(rejecting, cli, tmp_path):
    rejecting(b"x\n" + b"9" * (2 * MAX_LINE_BYTES + 1) + b"\n")
    Path("mend.ndjson").touch(0o644)
    assert cli("quarantine", "export", "-o", "mend.ndjson", "--force").code == 0
    cli("orchestrate")

    kept = [
        *tmp_path.glob("data/runs/*/rejects.parquet"),
        *tmp_path.glob("data/runs/*/landed/*.bin"),
    ]
    assert len(kept) == 4
    assert {mode(path) for path in [*kept, Path("mend.ndjson")]} == {0o600}


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
    said += cli("quarantine", "export", "-o", "mend.ndjson", "--force", "--json").out
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


def test_control_characters_in_the_name_of_a_file_break_no_row_and_no_message(cli, tmp_path):
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "a\n\tb.jsonl").write_bytes(b"x\n" + record("F1") + b"\n")
    (raw / "c\n\x1b[2Jd.xlsx").write_bytes(b"x")

    said = cli("extract", "--as-of", "2026-02-15").err

    assert "skipped data/raw/c\\x0a\\x1b[2Jd.xlsx: " in said
    assert all("rows" in line or ":" in line for line in said.splitlines())
    assert cli("quarantine", "list", "--by", "file").out == "a\\x0a\\x09b.jsonl\t1\t0\n"
    assert cli("quarantine", "show").out == "a\\x0a\\x09b.jsonl\t1\tnot_json\tx\n"


@pytest.mark.parametrize("command", [("list",), ("show",), ("export", "-o", "x.ndjson")])
def test_a_source_that_was_not_read_is_refused_with_the_names_that_are_like_it(
    rejecting, cli, command
):
    rejecting(b"x\n", **{"data/raw/b.jsonl": b"x\n", "data/raw/good.jsonl": record("F2")})

    unknown = cli("quarantine", *command, "--source", "2026-01-05/a.json")

    assert (unknown.code, Path("x.ndjson").exists()) == (2, False)
    assert "has read no file 2026-01-05/a.json; " in unknown.err
    assert "such as 2026-01-05/a.jsonl" in unknown.err
    assert cli("quarantine", *command, "--source", "good.jsonl").code == 0  # none was rejected
