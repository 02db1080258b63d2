"""`filter-expiring`: input lines byte for byte, --grain accreditation and --annotate."""

import json

import pytest

from tests.conftest import AS_OF


@pytest.mark.every_engine
def test_every_expiring_line_is_an_input_line_byte_for_byte(cli, examples):
    outcome = cli("filter-expiring", "examples", "--as-of", AS_OF, "--months", "120", "-o", "-")

    given = {line for path in examples.rglob("*.*") for line in path.read_text().split("\n")}
    lines = outcome.out.removesuffix("\n").split("\n")
    assert len(lines) > 20
    assert set(lines) <= given


@pytest.mark.every_engine
def test_of_the_same_line_twice_the_first_is_kept_in_its_place(cli, rig, tmp_path):
    lines = [
        f'{{"facility_id": "{name}", "accreditations": [{{"valid_until": "2026-03-01"}}]}}\n'
        for name in "ABCA"
    ]
    (tmp_path / "in.jsonl").write_text("".join(lines))

    outcome = cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "-")

    kept = "".join(lines[:3]).encode()
    assert rig.in_order(outcome.out.encode()) == rig.in_order(kept)


def test_an_added_key_leaves_the_record_as_it_was_written(cli, tmp_path):
    record = (
        '{"facility_id":"1" , "rate": 0.10, "big": 12345678901234567890, "accreditations":'
        ' [{"valid_until": "2026-02-16", "accreditation_body": " \\u00c9tat \\"x\\" "}]}'
    )
    (tmp_path / "x.jsonl").write_text(record + " \t\n")

    out = cli("filter-expiring", "x.jsonl", "--as-of", AS_OF, "--annotate", "-q", "-o", "-").out

    assert out.startswith(record.removesuffix("}") + ', "expiring": [')
    assert json.loads(out)["expiring"] == [
        {
            "item": 1,
            "accreditation_body": 'État "x"',
            "accreditation_id": None,
            "valid_until": "2026-02-16",
            "days_until_expiry": 1,
            "tier": "critical",
        }
    ]


def test_the_grain_of_accreditations_has_nothing_to_annotate(cli, examples):
    outcome = cli("filter-expiring", "examples", "--annotate", "--grain", "accreditation")

    assert outcome.code == 2
    assert "drop one of them" in outcome.err


def test_annotated_records_stay_in_input_order(cli, tmp_path):
    ids = [f"F{number * 7919 % 5000:04}" for number in range(5000)]
    (tmp_path / "x.jsonl").write_text(
        "".join(
            f'{{"facility_id": "{name}", "accreditations": [{{"valid_until": "2026-03-01"}}]}}\n'
            for name in ids
        )
    )

    out = cli("filter-expiring", "x.jsonl", "--as-of", AS_OF, "--annotate", "-q", "-o", "-").out

    assert [json.loads(line)["facility_id"] for line in out.splitlines()] == ids
