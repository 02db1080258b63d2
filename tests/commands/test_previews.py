"""What a terminal shows of a result: the view that was asked for, nothing shortened."""

import re
import sys

import pytest

from healthpipe.cli.console import OutputSettings
from tests.conftest import AS_OF
from tests.support.records import write_records

ID = "FACILITY-WITH-A-VERY-LONG-ID-" + "0" * 60


@pytest.fixture
def preview(cli, tmp_path, monkeypatch):
    """Run a stage as on a terminal of that width, and return the preview."""
    monkeypatch.setattr(OutputSettings, "on_terminal", True)
    write_records(
        tmp_path / "in.jsonl",
        {
            "facility_id": ID,
            "facility_name": "North Clinic",
            "location": {"state": "CA"},
            "employee_count": 12,
            "accreditations": [
                {
                    "accreditation_body": "JC",
                    "accreditation_id": "JC-1",
                    "valid_until": "2026-03-01",
                }
            ],
        },
    )

    def call(*arguments, columns=80) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        outcome = cli(*arguments, "in.jsonl", "--as-of", AS_OF)
        assert outcome.code == 0
        return re.sub("\x1b.*?[a-zA-Z]", "", outcome.err)

    return call


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("stage", ["extract", "filter-expiring"])
def test_an_id_is_folded_and_never_shortened(preview, stage, columns):
    shown = preview(stage, columns=columns)

    assert "…" not in shown
    column = "".join(line.split()[0] for line in shown.splitlines() if line[1:4].strip())
    assert ID in column.replace(" ", "")


def test_of_accreditations_the_accreditations_are_shown(preview):
    shown = preview("filter-expiring", "--grain", "accreditation", columns=200)

    assert "accreditation_id" in shown
    assert re.search(r"JC +JC-1 +2026-03-01 +14 +critical", shown)


def test_numbers_are_aligned_to_the_right(preview):
    shown = preview("state-counts", columns=120)

    head, row = (line for line in shown.splitlines() if line.strip().startswith(("state ", "CA ")))
    assert head.index("employees") + len("employees") == row.index(" 12 ") + len(" 12")


def test_on_a_narrow_terminal_no_column_is_without_its_cells(preview):
    shown = preview("filter-expiring", "--grain", "accreditation", columns=60)

    assert "(5 of 8 columns)" in shown
    assert re.search(r"North Clinic +CA +JC +14", shown)
    assert max(len(line) for line in shown.splitlines() if "─" in line) <= 60


def test_on_a_narrow_terminal_the_ids_of_a_table_are_whole(cli, tmp_path, monkeypatch):
    write_records(tmp_path / "in.jsonl", {"facility_id": "F1"})
    cli("extract", "in.jsonl", "--as-of", AS_OF)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    shown = cli("runs", "list", "--all").out

    assert re.search(r"\d{8}T\d{6}Z-[0-9a-f]{6}  succeeded  2026-02-15 .* extract", shown)
