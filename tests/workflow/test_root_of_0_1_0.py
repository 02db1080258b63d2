"""A root that an earlier commit wrote is read, rolled back and gone on with.

What is expected is what the commands of that commit print on the same root: see
`tests.support.stored_root`. Its SQL files were others: a retry is refused, by contract, and what it
curated is made anew.
"""

import json
import re
from pathlib import Path

import pytest

from tests.support.records import parquet_rows
from tests.support.stored_root import BY_HAND, FAILED, FIRST, SECOND, restore_root

NAMES = ("extract.parquet", "expiring.ndjson", "state-counts.csv", "state-counts.json")
DROP = (
    "facilities fewer than live 2 of 3, more than 20%; states fewer than live 2 of 3, more than 20%"
)
F1 = (
    '{"facility_id": "F1", "facility_name": "North Clinic", "location": {"state": "CA"}, '
    '"employee_count": 10, "accreditations": [{"accreditation_body": "JC", '
    '"accreditation_id": "A1", "valid_until": "2026-03-01"}]}\n'
)
F3 = (
    '{"facility_id": "F3", "facility_name": "East Clinic", "location": {"state": "TX"}, '
    '"employee_count": 30,"accreditations": [{"accreditation_body": "JC", '
    '"accreditation_id": "A3", "valid_until": "2026-04-01"}]}\n'
)
RECOVERED = (
    "These failures are over:\n"
    "Audit (gate failed): first at 2026-11-28 01:28 UTC, last at 2026-11-28 01:28 UTC "
    f"in run {FAILED}\n"
)


@pytest.fixture(autouse=True)
def root(tmp_path):
    """The root `data` in the folder that commands run in."""
    restore_root(tmp_path)


def published(run: str) -> str:
    """What a command prints that shows the live files of a run."""
    return "".join(f"data/production/{run}/{name}\n" for name in NAMES)


def without_ages(text: str) -> str:
    return re.sub(r", [^,:]+ ago", ", AGO ago", text)


def test_status_tells_of_the_live_run_and_the_failed_one(cli):
    assert without_ages(cli("status").out) == (
        f"live\t{SECOND} as of 2026-02-15, published 2026-11-28T01:28:01Z, generation 2\n"
        f"last run\t{FAILED} failed at Audit, ended 2026-11-28T01:28:06Z, AGO ago: "
        f"the run is not fit to be published: {DROP}\n"
        f"last good run\t{SECOND}, ended 2026-11-28T01:28:02Z, AGO ago\n"
        "open failure\tgate_failed at Audit, first 2026-11-28T01:28:06Z\n"
    )


def test_all_its_runs_are_listed(cli):
    assert cli("runs", "list", "--all").out == (
        f"{FAILED}\tfailed at Audit\t2026-02-16\t0 s\t1\t0\torchestrate\n"
        f"{BY_HAND}\tsucceeded\t2026-02-15\t0 s\t5\t2\textract\n"
        f"{SECOND}\tsucceeded\t2026-02-15\t0 s\t5\t2\torchestrate\n"
        f"{FIRST}\tsucceeded\t2026-02-14\t0 s\t4\t2\torchestrate\n"
    )


def test_a_published_run_is_shown(cli):
    assert cli("runs", "show", SECOND).out == (
        f"run\t{SECOND} (orchestrate, as of 2026-02-15)\n"
        "status\tsucceeded; began 2026-11-28T01:28:01Z, took 0 s\n"
        "input\t2 files, 682 bytes, 0 skipped\n"
        "records\t5 lines, 3 accepted, 2 rejected, 0 superseded, 0 resolved\n"
        "issues\t1 facility_id_missing, 1 not_json, 1 state_missing\n"
        "gate\tok: rejected lines 2 of 5, within 50%\n"
        "gate\tok: files rejected whole 0 of 2, within 0\n"
        "gate\tok: accepted records 3, at least 1\n"
        "gate\tok: facilities fewer than live 0 of 2, within 20%\n"
        "gate\tok: states fewer than live 0 of 2, within 20%\n"
        "step\tIngest succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tCurate succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tFilterExpiring succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tStateCounts succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tExtract succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tAudit succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tPublish succeeded, began 2026-11-28T01:28:01Z, took 0 s\n"
        "step\tAlertExpiring succeeded, began 2026-11-28T01:28:01Z, took 1 s\n"
        "step\tNotifySuccess succeeded, began 2026-11-28T01:28:02Z, took 0 s\n"
        "step\tFinish succeeded, began 2026-11-28T01:28:02Z, took 0 s\n"
        "alert\texpiring: 1 sent, 1 known already\n"
        "alert\tsuccess: 0 sent\n"
        "published\tas generation 2, 2026-11-28T01:28:01Z\n"
    )


def test_the_failed_run_is_shown_with_what_to_do(cli):
    out = cli("runs", "show", FAILED).out

    assert (
        f"error\tthe run is not fit to be published: {DROP}; if the drop is right, publish it "
        "with `healthpipe runs retry --accept-drop`\n"
    ) in out
    assert "gate\tfail: facilities fewer than live 2 of 3, more than 20%\n" in out
    assert "step\tNotifyFailure succeeded, began 2026-11-28T01:28:06Z, took 0 s\n" in out
    assert out.endswith("alert\tfailure: 1 sent\n")


def test_current_gives_the_live_files(cli):
    assert cli("current").out == published(SECOND)
    assert cli("current", "filter-expiring", "-o", "-").out == F1 + F3
    pointer = cli("current", "--json").document
    assert (pointer["generation"], pointer["nonce"]) == (2, "69ac6ff373ba485092f2e017a8406fa0")


def test_what_it_rejected_is_counted_and_shown(cli):
    assert [
        line.split("\t")[:3] for line in cli("quarantine", "list", SECOND).out.splitlines()
    ] == [
        ["facility_id_missing", "1", "0"],
        ["not_json", "1", "0"],
        ["state_missing", "1", "0"],
    ]
    assert cli("quarantine", "show", SECOND).out == (
        "2026-02-01/a.jsonl\t3\tfacility_id_missing, state_missing"
        '\t{"facility_name": "Nameless Clinic"}\n'
        "2026-02-01/a.jsonl\t4\tnot_json\tnot json\n"
    )


def test_the_failed_run_is_not_resumed_by_other_sql(cli, step_spy):
    outcome = cli("runs", "retry", "--accept-drop")

    assert (outcome.code, outcome.out, step_spy.names) == (2, "", [])
    assert "sql" in outcome.err
    assert cli("current").out == published(SECOND)


def test_a_rollback_makes_its_first_run_live(cli):
    outcome = cli("runs", "rollback")

    assert (outcome.code, outcome.out) == (0, published(FIRST))
    assert outcome.err == (
        f"run {FIRST} as of 2026-02-14 is live again as generation 3; run {SECOND} was\n"
    )
    assert cli("current", "filter-expiring", "-o", "-").out == F1


def test_the_same_files_and_day_are_published_anew_by_other_sql(cli):
    """The live run has no figures: what is judged by them is not, and the run says so."""
    outcome = cli("orchestrate", "--as-of", "2026-02-15", "--max-rejects", "50%", "--json")

    assert (outcome.code, outcome.document["production"]["generation"]) == (0, 3)
    assert RECOVERED in outcome.err
    findings = {each["gate"]: each for each in outcome.document["audit"]["findings"]}
    assert "not judged: there is no live run with figures" in findings["accredited"]["message"]
    assert (findings["facilities"]["level"], findings["accredited"]["level"]) == ("ok", "ok")


def test_with_a_new_file_all_is_curated_anew_by_other_sql(cli, tmp_path):
    """The two segments of the root were made by other SQL: none is used, or misread."""
    segments = {path.name for path in Path("data/curated").iterdir()}
    new = F1.replace("F1", "F4").replace('"A1"', '"A4"').replace("North", "West")
    (tmp_path / "data" / "raw" / "2026-02-08" / "c.jsonl").write_text(new)

    outcome = cli("orchestrate", "--as-of", "2026-02-20", "--max-rejects", "50%", "--json")

    assert outcome.code == 0
    assert outcome.document["production"]["generation"] == 3
    assert outcome.document["records"] == {
        "lines": 6,
        "accepted": 4,
        "rejected": 2,
        "superseded": 0,
        "resolved": 0,
    }
    assert "New in their tier as of 2026-02-20: 1 critical.\n" in outcome.err
    live = cli("current", "extract").out.strip()
    assert [row[0] for row in parquet_rows(live)] == ["F1", "F2", "F3", "F4"]
    (segment,) = {path.name for path in Path("data/curated").iterdir()} - segments
    described = json.loads(Path("data/curated", segment, "segment.json").read_text())
    assert [file["uri"] for file in described["files"]] == [
        str(tmp_path / "data/raw" / name)
        for name in ("2026-02-01/a.jsonl", "2026-02-08/b.json", "2026-02-08/c.jsonl")
    ]


def test_older_published_runs_are_pruned(cli):
    assert cli("runs", "prune", "--keep", "1", "--dry-run").out.split("\n")[0] == (
        f"production\t1638\tdata/production/{FIRST}\tnot among the 1 published last"
    )
