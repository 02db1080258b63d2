"""Tiers of urgency: expired, critical, high, medium, later."""

import json

import pandas
import pytest

from tests.conftest import AS_OF
from tests.support.records import facility, write_records


@pytest.mark.pitfall(19, 20)
@pytest.mark.every_engine
def test_due_today_is_critical_and_long_expired_is_not(result, tmp_path):
    write_records(tmp_path / "in.jsonl", facility("F1", "2019-12-31", "2026-02-14", "2026-02-15"))
    call = ("filter-expiring", "in.jsonl", "--grain", "accreditation")

    assert [row[5:] for row in result(*call).rows] == [["2026-02-15", "0", "critical"]]
    assert [row[5:] for row in result(*call, "--include-expired").rows] == [
        ["2019-12-31", "-2238", "expired"],
        ["2026-02-14", "-1", "expired"],
        ["2026-02-15", "0", "critical"],
    ]


@pytest.mark.parametrize(
    ("days", "tier"),
    [
        (-1, "expired"), (0, "critical"), (30, "critical"), (31, "high"), (60, "high"),
        (61, "medium"), (90, "medium"), (91, "later"),
    ],
)  # fmt: skip
def test_a_tier_ends_with_its_last_day(cli, tmp_path, days, tier):
    day = pandas.Timestamp(AS_OF) + pandas.Timedelta(days=days)
    record = {"facility_id": "1", "accreditations": [{"valid_until": f"{day:%Y-%m-%d}"}]}
    (tmp_path / "x.jsonl").write_text(json.dumps(record))

    out = cli(
        "filter-expiring", "x.jsonl", "--as-of", AS_OF, "--grain", "accreditation",
        "--include-expired", "-q", "-o", "-",
    ).out  # fmt: skip

    assert out.splitlines()[1].endswith(f",{day:%Y-%m-%d},{days},{tier}")
