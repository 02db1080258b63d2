"""Commands that messages suggest: pasted in another folder they do what the message says."""

import ast
import json
import re
import shlex
from datetime import date
from pathlib import Path

import pytest

import healthpipe
from healthpipe.aws.session import AwsAccess
from healthpipe.cli.console import OutputSettings
from healthpipe.stages.catalog import STAGES
from healthpipe.storage.layout import Root
from tests.support.records import LATER, facility, write_records

ROOT = "the root's"  # has to be quoted
SUGGESTED = re.compile(r"`(healthpipe [^`]+)`|^next: (healthpipe .+)$", re.MULTILINE)
DAY = ("--as-of", "2026-02-15")


def suggested_in(text: str) -> list[str]:
    """The commands that a message suggests, each once."""
    return list(dict.fromkeys(first or second for first, second in SUGGESTED.findall(text)))


@pytest.fixture
def here(cli, tmp_path, monkeypatch):
    """A folder with a root, in which commands are run; call it to run one, by its words."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEALTHPIPE_ROOT", ROOT)
    return cli


@pytest.fixture
def paste(cli, tmp_path, monkeypatch):
    """Run a command as it stands in a message, in another folder, without any configuration."""

    def run(command: str):
        folder = tmp_path / "elsewhere"
        folder.mkdir(exist_ok=True)
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            patch.delenv("HEALTHPIPE_ROOT")
            return cli(*shlex.split(command)[1:])

    return run


def write_raw(*lines: dict | str, name: str = "a.jsonl") -> None:
    write_records(Path(ROOT, "raw", name), *lines)


SOUND = [facility(f"F{number}", LATER) for number in range(20)]
TORN = ["{"] * 10


def fail_the_gate_on_rejects(here):
    write_raw(*SOUND, *TORN)
    return here("orchestrate", *DAY)


def fail_the_gate_on_a_drop(here):
    write_raw(*SOUND)
    here("orchestrate", *DAY)
    write_raw(*SOUND[:10])
    return here("orchestrate", *DAY)


def change_the_input_of_a_failed_run(here):
    write_records("in coming/a.jsonl", *SOUND, *TORN)
    here("orchestrate", "in coming", *DAY)
    write_records("in coming/a.jsonl", *SOUND)
    return here("runs", "retry")


def fail_with_a_source(here):
    write_records("b.jsonl", *SOUND, *TORN)
    here("orchestrate", "b.jsonl", "--max-rejects", "1", *DAY)
    return here("status", "--max-age", "1h")


def ask_an_empty_root(here):
    Path(ROOT).mkdir()
    return here("extract")


def ask_what_is_live_of_nothing(here):
    write_raw(*SOUND)
    return here("current")


def damage_what_is_live(here):
    write_raw(*SOUND)
    for day in ("2026-02-14", "2026-02-15"):
        here("orchestrate", "--as-of", day)
    pointer = json.loads(Path(ROOT, "production", "current.json").read_text())
    path = Path(ROOT, pointer["files"][0]["path"])
    path.chmod(0o644)
    path.write_text("junk")
    return here("current")


def be_late(here):
    write_raw(*SOUND)
    here("orchestrate", *DAY)
    return here("status", "--max-age", "0m")


def ask_for_an_unknown_run(here):
    write_raw(*SOUND)
    here("orchestrate", *DAY)
    return here("runs", "show", "20260101T000000Z-000000")


def roll_back_to_what_is_live(here):
    write_raw(*SOUND)
    live = here("orchestrate", *DAY, "--json").document["run_id"]
    return here("runs", "rollback", live)


def export_what_was_rejected_whole(here):
    write_raw(*SOUND)
    write_raw("[1, 2", name="b.json")
    here("extract", *DAY)
    return here("quarantine", "export", "-o", "x.ndjson")


def move_a_rule_that_is_none(here):
    write_raw(*SOUND)
    return here("extract", "--rule", "blue=warn")


def mistype_an_option(here):
    return here("runs", "retry", "--accept-dorp")


# What brings about a message, and how each command that it suggests ends.
SITUATIONS = {
    fail_the_gate_on_rejects: ["quarantine list: 0"],
    fail_the_gate_on_a_drop: ["runs retry: 0", "runs show: 0"],
    change_the_input_of_a_failed_run: ["orchestrate: 0"],
    fail_with_a_source: ["orchestrate: 3"],
    ask_an_empty_root: ["generate-data: 0"],
    ask_what_is_live_of_nothing: ["orchestrate: 0"],
    damage_what_is_live: ["runs rollback: 0"],
    be_late: ["runs list: 0"],
    ask_for_an_unknown_run: ["runs list: 0"],
    roll_back_to_what_is_live: ["current: 0"],
    export_what_was_rejected_whole: ["quarantine show: 0"],
    move_a_rule_that_is_none: ["describe rules: 0"],
    mistype_an_option: ["runs retry: 0"],
}


@pytest.mark.parametrize(
    ("bring_about", "ends"), SITUATIONS.items(), ids=[each.__name__ for each in SITUATIONS]
)
def test_a_suggested_command_works_when_it_is_pasted(here, paste, bring_about, ends):
    said = bring_about(here)

    commands = suggested_in(said.err)
    assert [f"{words(command)}: {paste(command).code}" for command in commands] == ends


def words(command: str) -> str:
    """The command and its group, as `runs list`."""
    first, second, *_ = [*shlex.split(command)[1:], ""]
    grouped = first in ("runs", "quarantine", "describe", "workflow")
    return f"{first} {second}" if grouped else first


def test_the_command_that_runs_anew_has_the_options_of_that_run(here):
    write_records("in/a.jsonl", *SOUND, *TORN)
    options = "--days 90 --strict-states --rule state_missing=reject --max-rejects 7 --keep 3"
    here("orchestrate", "in", *DAY, *options.split())

    (command,) = suggested_in(here("status", "--max-age", "1h").err)

    expected = f"in --root . --as-of 2026-02-15 {options}".split()
    expected[0], expected[2] = str(Path("in").absolute()), str(Path(ROOT).absolute())
    given = shlex.split(command)[2:]
    assert sorted(given) == sorted(expected)


def test_what_an_alert_has_no_room_for_is_listed_by_its_command(here, paste):
    dates = [date(2026, 3, 1 + number % 28).isoformat() for number in range(3000)]
    write_records("in/a.jsonl", *(facility(f"F{n}", day) for n, day in enumerate(dates)))
    said = here("orchestrate", "in", *DAY, "--days", "30")

    (command,) = suggested_in(said.err.partition("Not listed here")[2])
    rows = paste(command).out.splitlines()[1:]
    assert len(rows) == sum(day <= "2026-03-17" for day in dates)


@pytest.mark.parametrize("stage", STAGES)
def test_the_next_command_after_a_stage_is_about_the_same_records(here, paste, monkeypatch, stage):
    monkeypatch.setattr(OutputSettings, "on_terminal", True)
    write_records("in/a.jsonl", *SOUND)
    monkeypatch.setenv("HEALTHPIPE_SNAPSHOT", "2026-02-01")
    Path("healthpipe.toml").write_text('id-pattern = "F.*"\n')

    (command,) = suggested_in(here(stage, "in", *DAY).err)

    assert paste(command).code == 0
    if stage != "normalize":  # which suggests to read on
        given = shlex.split(command)
        for word in (str(Path("in").absolute()), "--as-of", "2026-02-15", "F.*", "2026-02-01"):
            assert word in given


def test_a_command_about_a_root_on_s3_says_how_it_is_reached():
    root = Root("s3://bucket/prefix", AwsAccess(region="eu-west-1", bucket_owner="123456789012"))

    assert root.command("runs", "list") == (
        "healthpipe runs list --root s3://bucket/prefix --region eu-west-1"
        " --bucket-owner 123456789012"
    )


def test_no_message_has_a_command_of_its_own_making():
    """Those that need nothing of a run are left: they work as they are."""
    written = set()
    for path in Path(healthpipe.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        documented = (each for each in nodes if isinstance(each, DOCUMENTED))
        documents = {ast.get_docstring(each, clean=False) for each in documented}
        texts = {each.value for each in nodes if isinstance(each, ast.Constant)}
        for text in texts - documents:
            written |= set(re.findall(r"`(healthpipe \w[^`]*)", str(text)))
    assert written == {"healthpipe describe rules"}


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
