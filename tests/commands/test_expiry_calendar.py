"""`expiry-calendar`: expiring accreditations by month and body."""

from tests.conftest import AS_OF


def test_the_calendar_counts_by_month_and_body(cli, examples):
    out = cli("expiry-calendar", "examples", "--as-of", AS_OF, "--days", "30", "-q", "-o", "-").out

    assert out.splitlines() == [
        "month,accreditation_body,accreditations,facilities",
        "2026-02-01,AAAHC,1,1",
        "2026-02-01,Joint Commission,3,2",
        "2026-03-01,AAAHC,1,1",
        "2026-03-01,Joint Commission,2,2",
    ]
