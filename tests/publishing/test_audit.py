"""Before anything is published a run is judged whole: its rejects, and what is fewer than live."""

import datetime
import json

import pytest

from healthpipe.choices import DROP_GATES, Accredited, FirstAccreditation, Gate
from healthpipe.contract import RULES, Severity
from healthpipe.errors import GateFailed, ServiceFailed, UsageError, exit_code_of
from healthpipe.publishing.audit import (
    Coverage,
    RunFacts,
    audit,
    count_rejected_files,
    coverage_of,
    live_coverage,
)
from healthpipe.publishing.gates import RawGates
from healthpipe.publishing.meaning import Comparison
from healthpipe.publishing.pointer import PublishedRun
from healthpipe.stages.curate import Balance
from healthpipe.stages.figures import RunFigures
from healthpipe.stages.rules import Rules
from healthpipe.storage.layout import Root, open_root
from healthpipe.storage.local import LocalStorage
from tests.conftest import AS_OF
from tests.support.published_runs import write

SAME = Coverage(100, 10)


NO_FIGURES = Comparison(
    datetime.date.fromisoformat(AS_OF),
    RunFigures(
        accredited=Accredited.CURRENT, first_accreditation=FirstAccreditation.LISTED, feeds={}
    ),
    None,
)


def judged(
    rejected=0, lines=100, files=(0, 10), new=SAME, live=SAME, resolved=0, accept=False, **gates
):
    accepted = lines - rejected
    balance = Balance(lines, accepted, rejected, accepted, 0, resolved)
    return audit(
        RawGates(**gates).checked(),
        Rules(),
        RunFacts(balance, *files, new),
        live,
        NO_FIGURES,
        DROP_GATES if accept else (),
    )


def levels(found):
    return {finding.gate.value: finding.level.value for finding in found.findings}


ALL_OK = dict.fromkeys(set(Gate) - {Gate.SNAPSHOT_DATES}, "ok")


def test_a_sound_run_passes():
    found = judged()

    assert (levels(found), found.failed) == (ALL_OK, False)
    found.require_passed(Root("root"), "run-1")


@pytest.mark.pitfall(58)
@pytest.mark.parametrize(
    ("case", "gate"),
    [
        ({"rejected": 6}, "rejects"),
        ({"rejected": 1, "max_rejects": "0"}, "rejects"),
        ({"files": (1, 10)}, "rejected_files"),
        ({"files": (2, 10), "max_rejected_files": "10%"}, "rejected_files"),
        ({"new": Coverage(79, 10)}, "facilities"),
        ({"new": Coverage(100, 7)}, "states"),
        ({"new": Coverage(99, 10), "max_drop": "0"}, "facilities"),
    ],
)
def test_beyond_a_gate_it_fails_with_exit_3(case, gate):
    found = judged(**case)

    assert levels(found) == ALL_OK | {gate: "fail"}
    with pytest.raises(GateFailed) as failure:
        found.require_passed(Root("root"), "run-1")
    assert exit_code_of(failure.value) == 3
    assert len(str(failure.value).splitlines()) == 1


@pytest.mark.parametrize(
    "case",
    [
        {"rejected": 5},
        {"rejected": 7, "max_rejects": "7"},
        {"files": (1, 10), "max_rejected_files": "1"},
        {"new": Coverage(80, 8)},
        {"new": Coverage(500, 56)},
        {"new": Coverage(0, 0), "live": None},
        {"new": Coverage(0, 0), "live": Coverage(0, 0)},
    ],
)
def test_at_the_limit_more_than_live_or_without_a_live_run_it_passes(case):
    assert levels(judged(**case)) == ALL_OK


@pytest.mark.parametrize("lines", [0, 4])
def test_no_accepted_record_fails_whatever_else_is_allowed(lines):
    found = judged(rejected=lines, lines=lines, max_rejects="100%", accept=True)

    assert levels(found) == ALL_OK | {"accepted_records": "fail"}


def test_lines_that_mended_ones_answer_do_not_count_against_the_gate():
    assert levels(judged(rejected=15, resolved=10)) == ALL_OK
    assert levels(judged(rejected=15, resolved=9)) == ALL_OK | {"rejects": "fail"}


def test_a_drop_can_be_accepted_and_that_is_recorded():
    found = judged(new=Coverage(10, 2), accept=True)

    assert levels(found) == ALL_OK | {"facilities": "accepted", "states": "accepted"}
    found.require_passed(Root("root"), "run-1")


def test_accepting_a_drop_accepts_nothing_else():
    assert judged(rejected=50, files=(1, 10), accept=True).failed


@pytest.mark.parametrize(
    ("case", "gate"),
    [
        ({"rejected": 3, "warn_rejects": "2%"}, "rejects"),
        (
            {"files": (1, 10), "max_rejected_files": "5", "warn_rejected_files": "0"},
            "rejected_files",
        ),
        ({"new": Coverage(85, 10), "warn_drop": "10%"}, "facilities"),
        ({"new": Coverage(100, 8), "warn_drop": "1"}, "states"),
    ],
)
def test_between_warning_and_gate_it_warns_and_passes(case, gate):
    found = judged(**case)

    assert levels(found) == ALL_OK | {gate: "warn"}
    assert not found.failed


def test_all_failed_gates_stand_in_one_line_with_what_to_do():
    with pytest.raises(GateFailed) as failure:
        judged(rejected=6, files=(1, 4), new=Coverage(70, 10)).require_passed(Root("root"), "run-1")

    assert failure.value.message == (
        "the run is not fit to be published: rejected lines 6 of 100, more than 5%;"
        " files rejected whole 1 of 4, more than 0;"
        " facilities fewer than live 30 of 100, more than 20%"
    )
    assert "`healthpipe quarantine list run-1 --root " in failure.value.hint
    assert "--accept-drop" in failure.value.hint


def test_the_document_has_each_gate_with_its_numbers():
    document = judged(rejected=6, live=None).to_json()

    assert json.loads(json.dumps(document)) == document
    assert document["passed"] is False
    by_gate = {finding["gate"]: finding for finding in document["findings"]}
    assert (by_gate["rejects"]["actual"], by_gate["rejects"]["limit"]) == (6, "5%")
    assert (by_gate["states"]["actual"], by_gate["states"]["limit"]) == (0, None)


def counts(*facilities) -> str:
    rows = [{"state": "S", "facilities": number} for number in facilities]
    return json.dumps({"metadata": {}, "rows": rows})


def test_states_without_facilities_do_not_cover_anything(tmp_path):
    path = write(tmp_path / "state-counts.json", counts(7, 0, 3, 0))

    assert coverage_of(LocalStorage(), str(path)) == Coverage(facilities=10, states=2)


def test_coverage_is_that_of_the_command_with_and_without_zero_rows(cli, examples, tmp_path):
    for name, more in {"a": [], "b": ["--include-zero"]}.items():
        cli("state-counts", "examples", "--as-of", AS_OF, *more, "-o", f"{name}.json")

    # 68 facilities in 32 states, by the oracle of the examples.
    found = [coverage_of(LocalStorage(), f"{tmp_path}/{name}.json") for name in "ab"]
    assert found == [Coverage(68, 32)] * 2


@pytest.mark.parametrize("damaged", [None, "", "{", "[]", "{}", '{"rows": [{}]}', '{"rows": null}'])
def test_a_damaged_file_is_no_coverage_of_nothing(tmp_path, damaged):
    if damaged is not None:
        write(tmp_path / "x.json", damaged)

    with pytest.raises(ServiceFailed, match="gone or damaged"):
        coverage_of(LocalStorage(), f"{tmp_path}/x.json")


def test_the_live_run_is_that_of_the_pointer(tmp_path):
    root = open_root(str(tmp_path))
    write(tmp_path / "production" / "r" / "state-counts.json", counts(3, 4))
    path = "production/r/state-counts"
    files = [
        {"stage": "state-counts", "format": fmt, "path": f"{path}.{fmt}"} for fmt in ("csv", "json")
    ]

    assert live_coverage(root, None) is None
    assert live_coverage(root, PublishedRun({"files": files})) == Coverage(7, 2)


def test_a_live_run_that_cannot_be_compared_with_stops_the_run_until_a_drop_is_accepted(tmp_path):
    file = {"stage": "state-counts", "format": "json", "path": "production/r/gone.json"}
    root = open_root(str(tmp_path))

    with pytest.raises(GateFailed, match="--accept-drop"):
        live_coverage(root, PublishedRun({"files": [file]}))
    assert live_coverage(root, PublishedRun({"files": [file]}), accept_drop=True) is None


def test_files_rejected_whole_are_counted_by_their_reasons(cli, tmp_path):
    folder = tmp_path / "in"
    write(folder / "a.json", '[{"facility_id": "1"}, {"facil')
    write(folder / "b.json", '[{"facility_id": "1"}, {"facil')
    (folder / "c.jsonl.gz").write_bytes(b"\x1f\x8b broken")
    write(folder / "d.jsonl", 'x\n{"facility_id": "1"}\n[]\n')

    issues = cli("extract", "in", "--json").document["issues"]

    assert count_rejected_files(issues) == 3
    assert count_rejected_files({}) == 0


@pytest.mark.parametrize("severity", ["warn", "off"])
@pytest.mark.parametrize("reason", ["file_truncated", "file_unreadable", "file_not_json"])
def test_no_option_hides_a_file_that_was_rejected_whole(reason, severity):
    assert {rule.severity for rule in RULES if rule.reason == reason} == {Severity.REJECT}
    with pytest.raises(UsageError, match="can only reject"):
        Rules.choose([f"{reason}={severity}"])


GOOD = "".join(f'{{"facility_id": "F{number}"}}\n' for number in range(19))


@pytest.mark.parametrize(("lines", "says"), [(GOOD + "x\n", False), (GOOD + "x\nx\n", True)])
def test_a_stage_by_hand_only_warns_of_what_orchestrate_would_not_publish(
    cli, tmp_path, lines, says
):
    write(tmp_path / "in.jsonl", lines)

    outcome = cli("extract", "in.jsonl", "--quiet")

    assert outcome.code == 0
    told = [line for line in outcome.err.splitlines() if "orchestrate would not" in line]
    expected = "rejected lines 2 of 21, more than 5%: orchestrate would not publish this"
    assert told == [expected] * says


def test_a_stage_by_hand_warns_of_a_file_that_was_rejected_whole(cli, tmp_path):
    write(tmp_path / "in" / "a.jsonl", GOOD * 5)
    write(tmp_path / "in" / "b.json", '[{"facility_id": "1"}, {"facil')

    outcome = cli("state-counts", "in")

    assert "files rejected whole 1 of 2, more than 0: orchestrate would not" in outcome.err
