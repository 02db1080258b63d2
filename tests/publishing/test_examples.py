"""The line of a failed gate names a file and a line to look at, and never a value of a record."""

import json
from pathlib import Path

import pytest

from tests.conftest import AS_OF

YESTERDAY, TODAY = "2026-02-14", AS_OF


def facility(number: int, **changed) -> dict:
    return {
        "facility_id": f"F{number:03}",
        "facility_name": f"Clinic {number}",
        "location": {"address": "1 Main St", "city": "Town", "state": "CA", "zip": "90001"},
        "employee_count": 100 + number,
        "services": ["x"],
        "labs": [],
        "accreditations": [
            {
                "accreditation_body": "JC",
                "accreditation_id": f"A{number}",
                "valid_until": "2027-01-01",
            }
        ],
    } | changed


def arrive(day: str, records: list[dict], name: str = "facilities.jsonl") -> None:
    folder = Path("data", "raw", day)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / name).write_text(text)


@pytest.fixture
def next_day(cli):
    """Publish thirty sound facilities; then orchestrate what arrives on the next day."""
    arrive(YESTERDAY, [facility(number) for number in range(30)])
    assert cli("orchestrate", "--as-of", YESTERDAY).code == 0

    def call(records, name="facilities.jsonl"):
        arrive(TODAY, records, name)
        outcome = cli("orchestrate", "--as-of", TODAY, "--quiet")
        assert (outcome.code, outcome.out) == (3, "")
        return outcome.err

    return call


FILE = f"{TODAY}/facilities.jsonl"


def test_a_broken_rule_is_shown_where_it_is_broken(next_day):
    sound = [facility(number) for number in range(10)]
    odd = [facility(number, employee_count="1,234") for number in range(10, 30)]

    told = next_day([*sound, *odd])

    assert (
        "employee_count_invalid: 20 of 30 records in facilities.jsonl (67 %), more than 20% "
        f"(for example {FILE} line 11)" in told
    )
    assert "1,234" not in told


def renamed(old: str, new: str) -> list[dict]:
    records = []
    for number in range(30):
        text = json.dumps(facility(number)).replace(f'"{old}"', f'"{new}"')
        records.append(json.loads(text))
    return records


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("accreditations", "accreds", "accreditations"),
        ("valid_until", "validUntil", "valid_until"),
        ("state", "State.Code", "location.state"),
        ("facility_name", "name", "facility_name"),
    ],
)
def test_of_a_field_that_vanished_the_keys_that_were_seen_instead_are_named(
    next_day, old, new, field
):
    told = next_day(renamed(old, new))

    assert f"{field} is in none of 30 records in facilities.jsonl, and was in 30 live ones" in told
    assert f"(for example {FILE} line 1; keys seen instead: {new})" in told


@pytest.mark.parametrize("key", ["a key", "1", "", "k" * 41, "Müller"])
def test_a_key_that_may_be_a_value_is_not_named(next_day, key):
    told = next_day(renamed("services", key))

    assert f"(for example {FILE} line 1)" in told
    assert "keys seen" not in told


def test_at_most_ten_keys_are_named(next_day):
    others = {f"key_{letter}": 1 for letter in "abcdefghijkl"}
    records = [facility(number) | others for number in range(30)]
    for record in records:
        del record["services"]

    assert f"keys seen instead: {', '.join(list(others)[:10])})" in next_day(records)


def test_a_rejected_line_is_shown_with_the_keys_of_a_record_without_id(next_day):
    told = next_day(renamed("facility_id", "facilityId"))

    assert f"(for example {FILE} line 1; keys seen instead: facilityId)" in told


def test_in_a_container_the_item_is_named(next_day):
    folder = Path("data", "raw", TODAY)
    folder.mkdir(parents=True)
    records = [facility(number, employee_count=250.5) for number in range(30)]
    (folder / "facilities.jsonl").write_text(json.dumps(records))

    told = next_day([], name="none.jsonl")

    assert f"(for example {FILE} line 1#1)" in told


def test_of_a_short_delivery_the_newest_file_is_named(next_day):
    told = next_day([facility(number) for number in range(20)])

    assert (
        "records of the newest snapshot fewer than of the live one 10 of 30 in facilities.jsonl, "
        f"more than 20% (the newest file is {FILE})" in told
    )


def test_on_the_first_run_the_keys_beside_a_missing_one_are_named(cli):
    arrive(TODAY, renamed("valid_until", "validTo"))

    outcome = cli("orchestrate", "--as-of", TODAY, "--quiet")

    assert outcome.code == 3
    assert (
        "accreditation_date_missing: 30 of 30 accreditations in facilities.jsonl (100 %), more "
        f"than 20% (for example {FILE} line 1; keys seen instead: validTo)" in outcome.err
    )
