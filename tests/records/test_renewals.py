"""Renewals: an accreditation that the same record renews neither expires nor has lapsed."""

import json
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF
from tests.support.oracle import File, Options, Oracle
from tests.support.records import facility, write_records

SOON, LATER, GONE = "2026-03-01", "2029-03-01", "2026-02-14"


def granted(body, name, until):
    """An accreditation."""
    return {"accreditation_body": body, "accreditation_id": name, "valid_until": until}


def holder(name, *accreditations):
    """A record with these accreditations, each as body, id and date."""
    return facility(name, accreditations=[granted(*each) for each in accreditations])


RENEWED = {
    "renewed": [("NCQA", "1", SOON), ("NCQA", "1", LATER)],
    "renewed, listed first": [("NCQA", "1", LATER), ("NCQA", "1", SOON)],
    "texts trimmed": [("NCQA", "\t1 ", SOON), (" NCQA\n", "1", LATER)],
    "a number is its text": [("NCQA", 1, SOON), ("NCQA", "1", LATER)],
    "twice": [("NCQA", "1", SOON), ("NCQA", "1", "2026-03-02"), ("NCQA", "1", LATER)],
    "among four": [("NCQA", "1", SOON), ("a", "2", LATER), ("b", "3", LATER), ("NCQA", "1", LATER)],
}
SEPARATE = {
    "alone": [("NCQA", "1", SOON)],
    "another id": [("NCQA", "1", SOON), ("NCQA", "2", LATER)],
    "another body": [("NCQA", "1", SOON), ("URAC", "1", LATER)],
    "without ids": [("NCQA", None, SOON), ("NCQA", None, LATER)],
    "blank ids": [("NCQA", " ", SOON), ("NCQA", " ", LATER)],
    "words for nothing": [("NCQA", "N/A", SOON), ("NCQA", "N/A", LATER)],
    "without bodies": [(None, "1", SOON), (None, "1", LATER)],
    "the same date": [("NCQA", "1", SOON), ("NCQA", "1", SOON)],
    "an earlier date": [("NCQA", "1", SOON), ("NCQA", "1", GONE)],
    "no date": [("NCQA", "1", SOON), ("NCQA", "1", "soon")],
    "another case": [("NCQA", "a", SOON), ("NCQA", "A", LATER)],
}


@pytest.fixture
def kinds(tmp_path):
    """A file with a facility of each kind."""
    records = [holder(name, *listed) for name, listed in (RENEWED | SEPARATE).items()]
    return write_records(tmp_path / "in.jsonl", *records)


@pytest.mark.sample
@pytest.mark.every_engine
def test_a_renewal_has_the_same_body_and_id_and_a_later_date(result, kinds):
    assert sorted(result("filter-expiring", kinds).first_column) == sorted(SEPARATE)
    assert sorted(result("filter-expiring", kinds, "--renewals", "separate").first_column) == (
        sorted(RENEWED | SEPARATE)
    )


@pytest.mark.every_engine
def test_each_grain_leaves_out_what_is_renewed(result, cli, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        holder("A", ("NCQA", "1", SOON), ("NCQA", "1", "2026-03-05"), ("URAC", "1", "2026-03-09")),
    )

    def rows(*options):
        call = ("filter-expiring", "in.jsonl", "--grain", "accreditation", *options)
        return [row[3:6] for row in result(*call).rows]

    assert rows() == [["NCQA", "1", "2026-03-05"], ["URAC", "1", "2026-03-09"]]
    assert rows("--renewals", "separate") == [["NCQA", "1", SOON], *rows()]
    annotated = cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "--annotate", "-o", "-").out
    assert [each["item"] for each in json.loads(annotated)["expiring"]] == [2, 3]
    assert result("expiry-calendar", "in.jsonl").rows == [
        ["2026-03-01", "NCQA", "1", "1"],
        ["2026-03-01", "URAC", "1", "1"],
    ]


@pytest.mark.every_engine
def test_the_next_expiry_is_one_that_nothing_renews(result, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        holder("A", ("NCQA", "1", SOON), ("NCQA", "1", LATER), ("URAC", "1", "2026-03-09")),
    )

    assert [row[3] for row in result("filter-expiring", "in.jsonl").rows] == ["2026-03-09"]


def test_what_was_renewed_has_not_lapsed(cli, tmp_path):
    write_records(
        tmp_path / "in.jsonl",
        holder("renewed", ("NCQA", "1", GONE), ("NCQA", "1", LATER)),
        holder("renewed, and lapsed", ("NCQA", "1", "2020-01-01"), ("NCQA", "1", GONE)),
        holder("lapsed", ("NCQA", "1", GONE), ("NCQA", "2", LATER)),
    )

    def told(*options):
        return cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, *options).err

    assert "2 already expired" in told()
    assert "3 already expired" in told("--renewals", "separate")
    assert "; 2 rows" in told("--include-expired", "--days", "0")


@pytest.mark.every_engine
def test_renewals_change_nothing_of_accredited_counts_the_first_and_the_flat_tables(
    result, tmp_path
):
    write_records(tmp_path / "in.jsonl", holder("A", ("NCQA", "1", SOON), ("NCQA", "1", LATER)))

    assert result("state-counts", "in.jsonl").rows == [["CA", "1", "1", "0", "2"]]
    assert result("extract", "in.jsonl", "--top", "1").rows[0][-1] == SOON
    assert result("extract", "in.jsonl", "--first-accreditation", "earliest").rows[0][-1] == SOON


def test_the_flat_tables_hold_what_was_renewed(cli, tmp_path):
    write_records(tmp_path / "in.jsonl", holder("A", ("NCQA", "1", SOON), ("NCQA", "1", LATER)))
    cli("normalize", "in.jsonl", "--format", "csv", "-o", "tables")

    rows = (tmp_path / "tables" / "facility_accreditations.csv").read_text().splitlines()[1:]
    assert rows == [f"A,1,NCQA,1,{SOON}", f"A,2,NCQA,1,{LATER}"]


def test_in_a_list_of_more_than_a_thousand_renewals_are_not_looked_for(cli, tmp_path):
    for name, length in (("looked through", 1000), ("too long", 1001)):
        others = [("NCQA", str(number), LATER) for number in range(1, length)]
        path = write_records(
            tmp_path / f"{length}.jsonl", holder(name, ("NCQA", "1", SOON), *others)
        )
        document = cli("filter-expiring", path, "--as-of", AS_OF, "--json").document
        assert document["output"]["rows"] == (length > 1000)


def test_the_option_is_set_in_the_file_and_the_environment_too(cli, kinds, tmp_path, monkeypatch):
    def rows():
        call = ("filter-expiring", kinds, "--as-of", AS_OF, "--json")
        return cli(*call).document["output"]["rows"]

    monkeypatch.setenv("HEALTHPIPE_RENEWALS", "separate")
    assert rows() == len(RENEWED | SEPARATE)
    monkeypatch.delenv("HEALTHPIPE_RENEWALS")
    (tmp_path / "healthpipe.toml").write_text('renewals = "separate"\n')
    assert rows() == len(RENEWED | SEPARATE)
    (tmp_path / "healthpipe.toml").write_text('renewals = "merged"\n')
    assert cli("filter-expiring", kinds).code == 2


def test_the_workflow_publishes_by_the_same_reading(cli, kinds):
    def rows(*options):
        outcome = cli("orchestrate", kinds, "--as-of", AS_OF, *options)
        assert outcome.code == 0, outcome.err
        return len(cli("current", "filter-expiring", "-o", "-").out.splitlines())

    assert rows() == len(SEPARATE)
    assert rows("--renewals", "separate") == len(RENEWED | SEPARATE)


LISTED = st.lists(
    st.tuples(
        st.sampled_from(["NCQA", " NCQA", "URAC", None, 7]),
        st.sampled_from(["1", "1 ", "2", "", None, 1]),
        st.sampled_from([GONE, SOON, "2026-03-05", LATER, "soon", None]),
    ),
    max_size=6,
)


@given(st.lists(LISTED, min_size=1, max_size=30), st.sampled_from(["replace", "separate"]))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_lists_of_any_length_agree_with_the_oracle(cli, tmp_path, lists, renewals):
    path = write_records(
        tmp_path / "in.jsonl", *(holder(f"F{n}", *listed) for n, listed in enumerate(lists))
    )
    wanted = Options(date.fromisoformat(AS_OF), renewals=renewals)
    oracle = Oracle([File("in.jsonl", path.read_bytes())], wanted)

    outcome = cli(
        "filter-expiring", path, "--as-of", AS_OF, "--renewals", renewals,
        "--grain", "accreditation", "--format", "ndjson", "-o", "-",
    )  # fmt: skip

    expected = [(row[0], row[5].isoformat()) for row in oracle.expiring_accreditations()]
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(row["facility_id"], row["valid_until"]) for row in found] == expected
    assert f", {oracle.already_expired()} already expired" in outcome.err
