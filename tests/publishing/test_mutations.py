"""Whatever a sender changes in all records overnight is never published without a word.

A sound snapshot is published. The next day its sender has changed one field of all records, in one
of many ways. What is published then is compared with what was, by its files alone: where over a
fifth of the facilities is new, gone, or has another state, name, number of employees or date, the
run must have failed or printed a warning. docs/mutations.md has what happens to each.
"""

import csv
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.documented_commands import PROJECT
from tests.support.mutations import BEFORE, MUTATIONS, TODAY, as_lines, snapshot_of
from tests.support.oracle import NOTHING, state_of
from tests.support.oracle_comparison import read_parquet
from tests.support.recording_channel import RecordingChannel

TABLE = PROJECT / "docs" / "mutations.md"
# Writes the table anew, with `-n 0 -m ''`.
REWRITE = "HEALTHPIPE_TEST_REWRITE_MUTATIONS"
# One in so many is run by default, one in so many with the slow tests; the variable asks for all.
SAMPLED, SAMPLED_SLOW = 8, 3
EVERY_MUTATION = "HEALTHPIPE_TEST_EVERY_MUTATION"
HARM = 0.2


@dataclass(frozen=True)
class Published:
    """What the live files say of facilities, by id, and how many facilities each state has."""

    names: dict[str, str | None]
    employees: dict[str, int | None]
    dates: dict[str, object]
    expiring: dict[str, str]
    states: dict[str, int]


def published(cli) -> Published:
    folder = Path(cli("current", "extract").out.strip()).parent
    extract = read_parquet(str(folder / "extract.parquet"))
    lines = (folder / "expiring.ndjson").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    with (folder / "state-counts.csv").open(newline="") as file:
        counts = {row["state"]: int(row["facilities"]) for row in csv.DictReader(file)}
    return Published(
        {row[0]: row[1] for row in extract},
        {row[0]: row[2] for row in extract},
        {row[0]: row[4] for row in extract},
        {str(record["facility_id"]).strip(): state_of(record, [], NOTHING) for record in records},
        counts,
    )


def harm(before: Published, after: Published) -> float:
    """The largest share of facilities that are added, gone, or changed in one respect."""
    old, new = before.names.keys(), after.names.keys()
    common = old & new
    moved = sum(
        abs(before.states.get(state, 0) - after.states.get(state, 0))
        for state in before.states.keys() | after.states.keys()
    )
    both_expire = before.expiring.keys() & after.expiring.keys()
    other_states = sum(before.expiring[each] != after.expiring[each] for each in both_expire)
    changed = [
        len(new - old),
        len(old - new),
        sum(before.names[each] != after.names[each] for each in common),
        sum(before.employees[each] != after.employees[each] for each in common),
        sum(before.dates[each] != after.dates[each] for each in common),
        len(before.expiring.keys() ^ after.expiring.keys()),
        moved / 2,
    ]
    share_of_expiring = other_states / len(both_expire) if both_expire else 0
    return max(max(changed) / len(old), share_of_expiring)


@pytest.fixture(scope="module")
def first_day():
    """The root of the first day, and what was published, once it is made."""
    return {}


@pytest.fixture
def live(cli, first_day, tmp_path, tmp_path_factory, monkeypatch) -> Published:
    """A root in which the sound snapshot of the first day is published."""
    monkeypatch.setattr("healthpipe.runs.request.open_channel", lambda *_: RecordingChannel())
    if "root" not in first_day:
        deliver(BEFORE, as_lines(snapshot_of(BEFORE)))
        outcome = cli("orchestrate", "--as-of", BEFORE.isoformat(), "--quiet")
        assert (outcome.code, outcome.err) == (0, "")
        first_day["published"] = published(cli)
        first_day["root"] = tmp_path_factory.mktemp("first") / "data"
        shutil.copytree("data", first_day["root"], copy_function=copy)
    else:
        shutil.copytree(first_day["root"], "data", copy_function=copy)
    return first_day["published"]


def copy(source: str, target: str) -> None:
    """Copy a file of a root; a raw file is linked, for a copy would be another one."""
    if "raw" in Path(source).parts:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def deliver(day, content: bytes) -> None:
    path = Path("data", "raw", day.isoformat(), "facilities.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def findings(level: str) -> str:
    """The gates of the last run that have a level, with what they judged."""
    records = [json.loads(path.read_text()) for path in Path("data/runs").glob("*/run.json")]
    record = max(records, key=lambda each: each["started_at"])
    found = record["audit"]["findings"] if "audit" in record else []
    named = (
        f"{each['gate']} ({each['subject']})" if each["subject"] else each["gate"]
        for each in found
        if each["level"] == level
    )
    return ", ".join(dict.fromkeys(named))


def tried():
    """The mutations that are run."""
    wants_all = os.environ.get(EVERY_MUTATION) or os.environ.get(REWRITE)
    for number, mutation in enumerate(MUTATIONS):
        marks = () if number % SAMPLED == 0 else (pytest.mark.slow,)
        if wants_all or number % SAMPLED == 0 or number % SAMPLED_SLOW == 0:
            yield pytest.param(mutation, id=mutation.id, marks=marks)


@pytest.mark.parametrize("mutation", list(tried()))
def test_no_mutation_is_published_without_a_word(cli, live, mutation):
    deliver(TODAY, mutation.file(snapshot_of(TODAY)))

    outcome = cli("orchestrate", "--as-of", TODAY.isoformat(), "--quiet")

    assert outcome.code in (0, 3), outcome.err
    if outcome.code == 3:
        assert published(cli) == live
        told = f"exit 3: {findings('fail')}"
    else:
        share = harm(live, published(cli))
        assert share <= HARM or outcome.err, "harm without a word"
        what = "changed" if share > HARM else "the same"
        warned = findings("warn") or "rejects or issues"
        told = f"published, {what}; " + (f"warned: {warned}" if outcome.err else "silent")
    row = f"| {mutation.field or 'the file'} | {mutation.name} | {told} |"
    if os.environ.get(REWRITE):
        with Path(os.environ[REWRITE]).open("a") as file:
            file.write(row + "\n")
    else:
        assert row in TABLE.read_text(encoding="utf-8").splitlines()


def test_the_table_has_each_mutation_once():
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if "|" in line][2:]
    named = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows]

    assert named == [(each.field or "the file", each.name) for each in MUTATIONS]
    assert len(named) >= 40
    assert not [row for row in rows if "changed; silent" in row]
