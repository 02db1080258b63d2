"""What comparable pipelines got wrong: each test is one thing that went wrong elsewhere.

Inputs are small and results written out in full, so that this file reads as a list of what a user
may rely on, whatever a vendor sends.
"""

import csv
import datetime
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from healthpipe.ingest.content import Content
from healthpipe.ingest.landing import land
from tests.conftest import AS_OF, tree

LATER, GONE = "2026-03-01", "2026-02-14"  # expires in the window, has expired


def facility(name, *dates, state="CA", **fields) -> dict:
    """A record without any issue, with an accreditation for each date."""
    accreditations = [{"accreditation_id": f"A{n}", "valid_until": d} for n, d in enumerate(dates)]
    record = {"facility_id": name, "facility_name": "x", "location": {"state": state}}
    return record | {"accreditations": accreditations} | fields


def as_line(record: dict | str | bytes) -> bytes:
    if isinstance(record, dict):
        record = json.dumps(record, ensure_ascii=False)
    return record if isinstance(record, bytes) else record.encode()


def write(path: str | Path, *records: dict | str | bytes) -> Path:
    """A file of these lines, gzip if its name says so."""
    content = b"".join(as_line(record) + b"\n" for record in records)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def rows_of(content: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content, newline=""), strict=True))[1:]


def parquet(path: str | Path) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute("from read_parquet($1)", [str(path)]).fetchall()


@dataclass
class Result:
    """The rows of a result as CSV, and what its run says of its lines and keeps of the rejected."""

    rows: list[list[str]]
    records: dict[str, int]
    issues: dict[str, int]
    rejects: list[tuple]

    @property
    def first_column(self) -> list[str]:
        return [row[0] for row in self.rows]


@pytest.fixture
def result(cli, rig, tmp_path_factory):
    """Run a stage."""
    output = tmp_path_factory.mktemp("output") / "x.csv"

    def call(*arguments, as_of=AS_OF) -> Result:
        outcome = cli(*arguments, "--as-of", as_of, "-o", output, "--json")
        assert outcome.code == 0, outcome.err
        document = outcome.document
        return Result(
            rows_of(output.read_bytes().decode()),
            document["records"],
            document["issues"],
            parquet(rig.kept(document["run_id"], "rejects.parquet")),
        )

    return call


@pytest.fixture
def published(cli, rig):
    """Publish, and return the live files by name."""

    def call(*arguments) -> dict[str, Path]:
        outcome = cli("orchestrate", *arguments, "--as-of", AS_OF)
        assert outcome.code == 0, outcome.err
        return rig.published(rig.pointer())

    return call


# What arrives.


def test_a_listing_and_a_result_of_more_than_a_thousand_are_whole(cli, tmp_path):
    for number in range(1500):
        write(tmp_path / "in" / f"{number % 7}" / f"{number}.jsonl", facility(f"F{number:04}"))

    document = cli("extract", "in", "--as-of", AS_OF, "-o", "x.csv", "--json").document

    assert document["input"]["files"] == 1500
    assert document["records"] == {
        "lines": 1500,
        "accepted": 1500,
        "rejected": 0,
        "superseded": 0,
        "resolved": 0,
    }
    assert [row[0] for row in rows_of((tmp_path / "x.csv").read_text())] == [
        f"F{number:04}" for number in range(1500)
    ]


@pytest.mark.parametrize(
    "content", [b"x" * 60_000_000, (b"x" * 999 + b"\n") * 60_000], ids=["a line", "lines"]
)
def test_a_packed_file_is_not_held_in_memory(tmp_path, content):
    (tmp_path / "in.gz").write_bytes(gzip.compress(content, 1))
    size = len(content)

    tracemalloc.start()
    land(Content.of(tmp_path / "in.gz"), tmp_path / "landed" / "0.ndjson")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sum(path.stat().st_size for path in (tmp_path / "landed").iterdir()) >= size
    assert peak < size / 2


BAD_LINES = [
    b'{"facility_id": "F1"',
    b"{}",
    b'{"facility_id": "F\xff"}',
    b'{"facility_id": null}',
    b"nothing",
    b'{"facility_id": "F1"},',
    b"null",
    b"\0\0\0",
]


@pytest.mark.every_engine
def test_a_bad_line_costs_itself_and_no_good_line_beside_it(result, tmp_path):
    good = [facility(f"G{number}") for number in range(10)]
    lines = [line for pair in zip(good, [*BAD_LINES, b"", b" "], strict=True) for line in pair]
    write(tmp_path / "in.jsonl", *lines)

    found = result("extract", "in.jsonl")

    assert found.rows == [[f"G{n}", "x", "", "0", ""] for n in range(10)]
    assert found.records == {
        "lines": 18,
        "accepted": 10,
        "rejected": 8,
        "superseded": 0,
        "resolved": 0,
    }
    assert found.issues == {
        "facility_id_missing": 2,
        "facility_name_missing": 2,
        "not_json": 4,
        "not_object": 1,
        "not_utf8": 1,
        "state_missing": 2,
    }
    assert sorted(line for _, _, line, _ in found.rejects) == sorted(BAD_LINES)


@pytest.mark.sample
@pytest.mark.every_engine
def test_a_reject_keeps_its_bytes_and_all_its_reasons(result, tmp_path):
    line = b'\t{"employee_count":1e3, "services":"\xc3\xa9", "facility_name":"" }  '
    write(tmp_path / "a" / "in.jsonl", facility("F1"), line + b"\r")

    ((source, reasons, kept, _),) = result("extract", "a", "--strict").rejects

    assert (source, kept) == ("in.jsonl", line)
    assert sorted(reasons) == [
        "employee_count_invalid",
        "facility_id_missing",
        "facility_name_missing",
        "services_invalid",
        "state_missing",
    ]


@pytest.mark.every_engine
@pytest.mark.parametrize("beside", [b'{"facility_id": "F3"}', b"\xff"], ids=["text", "no text"])
def test_only_the_first_of_two_byte_order_marks_is_none_of_the_line(result, tmp_path, beside):
    mark, line = b"\xef\xbb\xbf", b'{"facility_id": "F1"}'
    write(tmp_path / "in.jsonl", mark + mark + line, facility("F2"), beside)

    found = result("extract", "in.jsonl")

    assert "F1" not in found.first_column
    assert "F2" in found.first_column
    assert mark + line in [kept for _, _, kept, _ in found.rejects]


RECORDS = [facility("F1", LATER), facility("F2", "2027-03-01")]
FORMS = {
    "a compact array": json.dumps(RECORDS, separators=(",", ":")),
    "a pretty array": json.dumps(RECORDS, indent=4),
    "a compact wrapper": json.dumps({"sample_data": RECORDS}),
    "a pretty wrapper": json.dumps({"count": 2, "sample_data": RECORDS}, indent=2),
    "pretty objects": "\n".join(json.dumps(record, indent=2) for record in RECORDS),
}


@pytest.mark.every_engine
@pytest.mark.parametrize("form", FORMS)
def test_records_count_as_records_in_whatever_form_they_come(result, tmp_path, form):
    (tmp_path / "in.json").write_text(FORMS[form])

    assert result("extract", "in.json").rows == [
        ["F1", "x", "", "0", "2026-03-01"],
        ["F2", "x", "", "0", "2027-03-01"],
    ]


@pytest.mark.every_engine
def test_what_is_no_list_where_one_belongs_is_an_empty_list_and_an_issue(result, tmp_path):
    for number, value in enumerate([None, 5, "[]", True, {"a": 1}]):
        lists = dict.fromkeys(("services", "labs", "accreditations"), value)
        write(tmp_path / "in" / f"{number}.jsonl", facility(f"F{number}") | lists)

    found = result("extract", "in")

    assert found.rows == [[f"F{number}", "x", "", "0", ""] for number in range(5)]
    assert found.records["accepted"] == 5
    assert found.issues == {"accreditations_invalid": 4, "labs_invalid": 4, "services_invalid": 4}
    assert result("state-counts", "in", "--accredited", "any").rows == [["CA", "0", "5", "0", "0"]]
    assert result("filter-expiring", "in", "--include-expired").rows == []


@pytest.mark.every_engine
def test_what_is_no_object_in_a_list_of_them_is_skipped(result, tmp_path):
    odd = [None, 5, "2026-03-01", [{"valid_until": LATER}]]
    record = facility("F1", accreditations=[*odd, {"valid_until": LATER}])
    write(tmp_path / "in.jsonl", record)

    found = result("filter-expiring", "in.jsonl", "--grain", "accreditation")

    assert found.rows == [["F1", "x", "CA", "", "", "2026-03-01", "14", "critical"]]
    assert found.issues == {"accreditation_invalid": 4}


@pytest.mark.every_engine
def test_a_blank_line_in_a_gzip_is_no_reject(result, tmp_path):
    write(tmp_path / "in.jsonl.gz", "", facility("F1"), " \t", "", facility("F2"), "\r", "")

    found = result("extract", "in.jsonl.gz")

    assert found.records == {
        "lines": 2,
        "accepted": 2,
        "rejected": 0,
        "superseded": 0,
        "resolved": 0,
    }
    assert (found.issues, found.rejects) == ({}, [])


@pytest.mark.every_engine
def test_nothing_of_a_gzip_cut_off_is_used_and_the_file_beside_it_is(result, tmp_path):
    whole = write(tmp_path / "in" / "cut.jsonl.gz", *(facility(f"C{n}") for n in range(2000)))
    whole.write_bytes(whole.read_bytes()[:-6])
    write(tmp_path / "in" / "whole.jsonl.gz", facility("W"))

    found = result("extract", "in")

    assert found.first_column == ["W"]
    assert found.issues == {"file_truncated": 1}


@pytest.mark.every_engine
def test_an_id_stays_the_text_that_it_was(result, tmp_path):
    names = ["007", "7", "1e5", "0x1F", "true", "12.50", "2026-01-05", "1_000", "null", "NaN"]
    write(tmp_path / "in.jsonl", *(facility(name, facility_name=name) for name in names))

    assert [row[:2] for row in result("extract", "in.jsonl").rows] == [
        [n, n] for n in sorted(names)
    ]


@pytest.mark.every_engine
def test_types_do_not_hang_on_the_first_lines(cli, tmp_path):
    many = (facility(f"{number:06}", employee_count=5) for number in range(21_000))
    last = facility("last", "soon", employee_count="many", services="none")
    write(tmp_path / "in.jsonl", *many, last)

    cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", "x.parquet")

    found = parquet(tmp_path / "x.parquet")
    assert found[0] == ("000000", "x", 5, 0, None)
    assert found[20_999:] == [("020999", "x", 5, 0, None), ("last", "x", None, 0, None)]


@pytest.mark.every_engine
def test_keys_are_the_same_only_in_the_same_case(result, tmp_path):
    both = {"FACILITY_ID": "no", "facility_name": "yes", "Facility_Name": "no", "Services": [1]}
    write(
        tmp_path / "in.jsonl",
        {"Facility_Id": "no", "facility_id": "F1", "location": {"State": "NV", "state": "CA"}}
        | {"accreditations": [{"Valid_Until": GONE, "valid_until": LATER}]}
        | both,
        {"Facility_ID": "F2"},
    )

    found = result("extract", "in.jsonl")

    assert found.rows == [["F1", "yes", "", "0", "2026-03-01"]]
    assert found.records["rejected"] == 1
    assert result("state-counts", "in.jsonl").rows == [["CA", "1", "1", "0", "1"]]


# Dates.

NO_DATES = [
    "n/a", "none", "", "02/03/2026", "03-01-2026", "2026-03-01T00:00:00", "2026-03-01T23:59:59Z",
    "2026-03-01 00:00:00+14:00", "2026-03-01 or later", "2026-03-01x", " 2026-03-01", "20260301",
    "2026-3-1", "2026-02-29", "9999-99-99", 20260301, 1772323200, True, None, ["2026-03-01"],
]  # fmt: skip


@pytest.mark.every_engine
def test_what_is_no_date_is_never_valid_never_expired_and_never_due(result, tmp_path):
    write(tmp_path / "in.jsonl", *(facility(f"{n:02}", day) for n, day in enumerate(NO_DATES)))

    assert result("filter-expiring", "in.jsonl", "--include-expired", "--months", "120").rows == []
    assert result("state-counts", "in.jsonl").rows == [["CA", "0", "20", "0", "0"]]
    found = result("extract", "in.jsonl")
    assert found.rows == [[f"{n:02}", "x", "", "0", ""] for n in range(20)]
    assert found.issues == {"accreditation_date_invalid": 20}


@pytest.mark.every_engine
def test_a_bad_date_sets_aside_itself_and_not_the_good_ones_beside_it(result, tmp_path):
    write(
        tmp_path / "in.jsonl",
        facility("F1", "n/a", "2026-02-20", "2026-02-30", "2026-03-01"),
        facility("F2", "2026-04-01"),
    )

    assert result("filter-expiring", "in.jsonl", "--grain", "accreditation").rows == [
        ["F1", "x", "CA", "", "A1", "2026-02-20", "5", "critical"],
        ["F1", "x", "CA", "", "A3", "2026-03-01", "14", "critical"],
        ["F2", "x", "CA", "", "A0", "2026-04-01", "45", "high"],
    ]


@pytest.mark.every_engine
def test_what_is_no_number_where_one_belongs_fails_nothing(result, tmp_path):
    counts = ["many", "12.5", 12.5, "-3", -3, "1,200", "", None, [5], 10**18, "9" * 19, " 12 ", 7]
    write(
        tmp_path / "in.jsonl",
        *(facility(f"{n:02}", employee_count=count) for n, count in enumerate(counts)),
    )

    assert [row[2] for row in result("extract", "in.jsonl").rows] == [""] * 11 + ["12", "7"]
    assert result("state-counts", "in.jsonl").rows == [["CA", "0", "13", "19", "0"]]


@pytest.mark.every_engine
def test_due_today_is_critical_and_long_expired_is_not(result, tmp_path):
    write(tmp_path / "in.jsonl", facility("F1", "2019-12-31", "2026-02-14", "2026-02-15"))
    call = ("filter-expiring", "in.jsonl", "--grain", "accreditation")

    assert [row[5:] for row in result(*call).rows] == [["2026-02-15", "0", "critical"]]
    assert [row[5:] for row in result(*call, "--include-expired").rows] == [
        ["2019-12-31", "-2238", "expired"],
        ["2026-02-14", "-1", "expired"],
        ["2026-02-15", "0", "critical"],
    ]


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("as_of", "last", "next_day"),
    [
        ("2025-07-01", "2026-01-01", "2026-01-02"),  # 184 days
        ("2025-08-31", "2026-02-28", "2026-03-01"),  # 181 days
        ("2023-12-31", "2024-06-30", "2024-07-01"),  # 182 days
    ],
)
def test_six_months_are_calendar_months(result, tmp_path, as_of, last, next_day):
    eve = datetime.date.fromisoformat(as_of) - datetime.timedelta(days=1)
    write(
        tmp_path / "in.jsonl",
        *(facility(day, day) for day in (f"{eve}", as_of, last, next_day)),
    )

    assert result("filter-expiring", "in.jsonl", as_of=as_of).first_column == [as_of, last]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_local_time_zone_moves_neither_the_window_nor_today(tmp_path, zone):
    """Of these two zones one at least is always on another day than UTC."""
    days = ["2026-02-14", "2026-02-15", "2026-08-15", "2026-08-16"]
    write(tmp_path / "in.jsonl", *(facility(day, day) for day in days))

    def call(*arguments):
        command = [sys.executable, "-m", "healthpipe", *arguments]
        environment = os.environ | {"TZ": zone}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    out = call("filter-expiring", "in.jsonl", "--as-of", AS_OF, "--format", "csv", "-o", "-")
    assert [row[0] for row in rows_of(out)] == ["2026-02-15", "2026-08-15"]
    before = datetime.datetime.now(datetime.UTC).date()
    document = json.loads(call("extract", "in.jsonl", "--json"))
    after = datetime.datetime.now(datetime.UTC).date()
    assert document["as_of"] in {f"{before}", f"{after}"}
    assert document["run_id"][:8] in {f"{before:%Y%m%d}", f"{after:%Y%m%d}"}


# Counts.


@pytest.mark.every_engine
def test_lists_neither_multiply_nor_drop_facilities(result, tmp_path):
    lab = {"lab_name": "L", "certifications": ["CLIA", "CAP"]}
    full = {"services": ["a", "b", "c", "d"], "labs": [lab, lab], "employee_count": 100}
    write(
        tmp_path / "in.jsonl",
        facility("F1", "2026-03-01", "2027-03-01", "2028-03-01", **full),
        facility("F2", services=[], labs=[], employee_count=10),
        {"facility_id": "F3", "location": {"state": "CA"}, "employee_count": 1},
        facility("F4", state="NV", employee_count=7),
    )

    assert result("state-counts", "in.jsonl").rows == [
        ["CA", "1", "3", "111", "3"],
        ["NV", "0", "1", "7", "0"],
    ]
    assert result("extract", "in.jsonl").rows == [
        ["F1", "x", "100", "4", "2026-03-01"],
        ["F2", "x", "10", "0", ""],
        ["F3", "", "1", "0", ""],
        ["F4", "x", "7", "0", ""],
    ]


@pytest.mark.every_engine
def test_a_facility_without_a_state_counts_and_a_line_without_an_id_is_a_reject(result, tmp_path):
    states = [None, "", " ", ["CA"], "ca", "California", "??"]
    write(
        tmp_path / "in.jsonl",
        *(facility(f"F{n}", LATER, state=state) for n, state in enumerate(states)),
        {"facility_id": "F7", "facility_name": "x"},
        {"facility_id": "F8", "facility_name": "x", "location": "CA"},
        *(facility(name, LATER) for name in (None, "", " ", {}, [], 1.5)),
    )

    found = result("state-counts", "in.jsonl")

    assert found.rows == [
        ["UNKNOWN", "4", "6", "0", "4"],
        ["CA", "2", "2", "0", "2"],
        ["??", "1", "1", "0", "1"],
    ]
    assert found.records == {
        "lines": 15,
        "accepted": 9,
        "rejected": 6,
        "superseded": 0,
        "resolved": 0,
    }
    assert found.issues == {"facility_id_missing": 6, "state_missing": 6, "state_not_recognised": 1}


@pytest.mark.every_engine
def test_which_of_several_records_wins_is_decided(result, tmp_path):
    def named(name, facility_name, day=None):
        return facility(name, facility_name=facility_name, snapshot_date=day)

    write(
        tmp_path / "in" / "2026-01-01" / "a.jsonl",
        named("by date", "winner", "2026-02-01"),
        named("by folder", "loser"),
        named("by file", "loser"),
        named("by line", "winner, the greater one"),
        named("by line", "loser"),
        named("no date", "winner"),
    )
    write(tmp_path / "in" / "2026-01-01" / "b.jsonl", named("by file", "winner"))
    write(tmp_path / "in" / "2026-01-02" / "a.jsonl", named("by date", "loser"))
    write(tmp_path / "in" / "2026-01-02" / "b.jsonl", named("by folder", "winner"))
    write(tmp_path / "in" / "z.jsonl", named("no date", "loser"))

    found = result("extract", "in")

    assert [row[:2] for row in found.rows] == [
        ["by date", "winner"],
        ["by file", "winner"],
        ["by folder", "winner"],
        ["by line", "winner, the greater one"],
        ["no date", "winner"],
    ]
    assert found.records == {
        "lines": 10,
        "accepted": 10,
        "rejected": 0,
        "superseded": 5,
        "resolved": 0,
    }


def test_a_late_file_is_read_and_an_early_one_is_not_frozen_in(published, tmp_path):
    early = tmp_path / "data" / "raw" / "2026-01-05"
    write(early / "a.jsonl", facility("F1", facility_name="before"), facility("F2"))
    write(tmp_path / "data" / "raw" / "2026-02-05" / "a.jsonl", facility("F3"))
    published()
    write(early / "a.jsonl", facility("F1", facility_name="mended"))
    write(early / "late.jsonl", facility("F4"))

    now = parquet(published()["extract.parquet"])

    assert [row[:2] for row in now] == [("F1", "mended"), ("F3", "x"), ("F4", "x")]


@pytest.mark.parametrize("source", ["data", "."])
def test_results_are_never_read_back_as_input(cli, published, tmp_path, source):
    write(tmp_path / "data" / "raw" / "2026-01-05" / "a.jsonl", facility("F1", LATER))
    published(source)
    cli("filter-expiring", source, "--as-of", AS_OF)
    cli("state-counts", source, "--as-of", AS_OF, "--format", "json")

    document = cli("orchestrate", source, "--as-of", AS_OF, "--json").document

    assert (document["input"]["files"], document["records"]["lines"]) == (1, 1)


HOSTILE = [
    "'; drop table current; --", '"; select 1; --', "x' or '1'='1", "$1", ":as_of", "?", "{0}",
    "%s", "\\'", "*", "/* x */", "a;b", "$$", "`id`",
]  # fmt: skip


@pytest.mark.sample
@pytest.mark.every_engine
def test_sql_in_names_ids_and_states_is_nothing_but_text(cli, rig, tmp_path):
    root, output = rig.named_root("r'oot; --"), "o'ut\"; drop table current; --.csv"
    for number, text in enumerate(HOSTILE):
        name = text.replace("/", "")
        state = f"{text}{number}"
        write(
            tmp_path / "in" / f"{name}{number}" / f"{name}.jsonl",
            facility(text, LATER, state=state, facility_name=text),
            "no record",
        )
    options = ("--as-of", AS_OF, "--root", root, "-o", output, "--json")

    document = cli("state-counts", "in", *options).document

    assert document["records"]["accepted"] == document["records"]["rejected"] == len(HOSTILE)
    assert rows_of((tmp_path / output).read_text()) == [
        [state, "1", "1", "0", "1"]
        for state in sorted(f"{text}{number}".upper() for number, text in enumerate(HOSTILE))
    ]
    cli("extract", "in", *options)
    found = [row[:2] for row in rows_of((tmp_path / output).read_text())]
    assert found == [[text, text] for text in sorted(HOSTILE)]


def test_more_than_a_hundred_states_and_folders_are_counted(published, tmp_path):
    for number in range(150):
        day = datetime.date(2025, 6, 1) + datetime.timedelta(days=number)
        write(
            tmp_path / "data" / "raw" / f"snapshot_date={day}" / "a.jsonl",
            facility(f"F{number}", LATER, state=f"s{number:03}", employee_count=number),
        )

    counts = rows_of(published()["state-counts.csv"].read_text())

    assert counts == [[f"S{n:03}", "1", "1", f"{n}", "1"] for n in range(150)]


# What is written.


def test_a_failing_run_leaves_the_output_of_the_last_one(cli, tmp_path):
    write(tmp_path / "in.jsonl", facility("F1", LATER))
    cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "out.ndjson")
    before = (tmp_path / "out.ndjson").read_bytes()
    (tmp_path / "in.jsonl").unlink()

    outcome = cli("filter-expiring", "in.jsonl", "--as-of", AS_OF, "-o", "out.ndjson")

    assert (outcome.code, outcome.out) == (2, "")
    assert (tmp_path / "out.ndjson").read_bytes() == before


@pytest.mark.parametrize(
    "call",
    [
        ("filter-expiring", "-o", "out.ndjson"),
        ("filter-expiring",),
        pytest.param(("orchestrate",), marks=pytest.mark.slow),  # it tries for a while
    ],
)
def test_what_cannot_be_written_whole_is_not_there_under_its_name(tmp_path, call):
    """The system refuses every byte after the first 200,000 of a file."""
    write(tmp_path / "in.jsonl", *(facility(f"F{n}", LATER) for n in range(5000)))
    (tmp_path / "out.ndjson").write_text("yesterday\n")

    def keep_files_small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [sys.executable, "-m", "healthpipe", *call, "in.jsonl", "--as-of", AS_OF]
    outcome = subprocess.run(
        command,
        cwd=tmp_path,
        preexec_fn=keep_files_small,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (outcome.returncode, outcome.stdout) == (4, "")
    assert (tmp_path / "out.ndjson").read_text() == "yesterday\n"
    left = {Path(name).name for name in tree(tmp_path)}
    assert not {name for name in left if name.startswith(("expiring", ".tmp", ".attempt"))}
    assert "current.json" not in left


@pytest.mark.every_engine
@pytest.mark.parametrize("fmt", ["parquet", "json"])
def test_rows_of_yesterday_do_not_stay_beside_those_of_today(cli, tmp_path, fmt):
    output = tmp_path / f"x.{fmt}"
    for names in (["F1", "F2", "F3"], ["F9"]):
        write(tmp_path / "in.jsonl", *(facility(name) for name in names))
        cli("extract", "in.jsonl", "--as-of", AS_OF, "-o", output)

    with duckdb.connect() as connection:
        found = connection.execute(
            f"select facility_id from read_{fmt}($1)", [str(output)]
        ).fetchall()
    assert found == [("F9",)]


@pytest.mark.every_engine
def test_published_results_hold_the_rows_of_their_run_alone(published, tmp_path):
    write(tmp_path / "in.jsonl", facility("F1", LATER), facility("F2", LATER, state="NV"))
    published("in.jsonl")
    write(tmp_path / "in.jsonl", today := facility("F3", LATER, state="TX"))

    files = published("in.jsonl", "--accept-drop")

    assert [row[0] for row in parquet(files["extract.parquet"])] == ["F3"]
    assert files["expiring.ndjson"].read_bytes() == as_line(today) + b"\n"
    assert rows_of(files["state-counts.csv"].read_text()) == [["TX", "1", "1", "0", "1"]]


@pytest.mark.every_engine
def test_results_without_rows_are_published_as_files_of_their_format(published, tmp_path):
    write(tmp_path / "in.jsonl", facility("F1", LATER, snapshot_date="2026-01-05"))

    files = published("in.jsonl", "--snapshot", "2025-12-31")

    table = pyarrow.parquet.read_table(files["extract.parquet"])
    assert (table.num_rows, table.column_names) == (
        0,
        [
            "facility_id",
            "facility_name",
            "employee_count",
            "number_of_offered_services",
            "expiry_date_of_first_accreditation",
        ],
    )
    assert files["expiring.ndjson"].read_bytes() == b""
    assert files["state-counts.csv"].read_bytes() == (
        b"state,accredited_facilities,facilities,employees,accreditations\r\n"
    )
    assert json.loads(files["state-counts.json"].read_bytes())["rows"] == []


@pytest.mark.every_engine
def test_a_result_without_rows_is_neither_a_blank_line_nor_a_row_of_nulls(cli, tmp_path):
    write(tmp_path / "in.jsonl", facility("F1"))
    call = ("filter-expiring", "in.jsonl", "--as-of", AS_OF, "--grain", "accreditation", "-o")

    assert cli(*call, "x.csv").code == 0
    assert (tmp_path / "x.csv").read_bytes() == (
        b"facility_id,facility_name,state,accreditation_body,accreditation_id,valid_until,"
        b"days_until_expiry,tier\r\n"
    )
    assert cli(*call, "x.json").code == 0
    assert json.loads((tmp_path / "x.json").read_bytes()) == []
    assert cli(*call, "x.parquet").code == 0
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    assert table.shape == (0, 8)
    assert [str(table.schema.field(name).type) for name in ("facility_id", "valid_until")] == [
        "string",
        "date32[day]",
    ]


@pytest.mark.every_engine
def test_files_of_one_name_in_several_folders_all_count(result, tmp_path):
    bad = b"no record"
    for folder in ("north", "south"):
        write(tmp_path / folder / "lines.jsonl", facility(f"{folder} 1"), bad)
        write(tmp_path / folder / "packed.json.gz", facility(f"{folder} 2"), bad)
        write(tmp_path / folder / "array.json", json.dumps([facility(f"{folder} 3"), 5]))

    for sources in (["north", "south"], ["."]):
        found = result("extract", *sources)
        assert found.first_column == [
            *(f"north {number}" for number in (1, 2, 3)),
            *(f"south {number}" for number in (1, 2, 3)),
        ]
    assert sorted((source, line) for source, _, line, _ in found.rejects) == [
        ("north/array.json", b"5"),
        ("north/lines.jsonl", bad),
        ("north/packed.json.gz", bad),
        ("south/array.json", b"5"),
        ("south/lines.jsonl", bad),
        ("south/packed.json.gz", bad),
    ]


@pytest.mark.every_engine
def test_null_in_csv_is_not_a_text_that_looks_like_it(cli, tmp_path):
    names = ["NULL", "null", "None", "NaN", '""', "\\N", None]
    write(tmp_path / "in.jsonl", *(facility(n, facility_name=name) for n, name in enumerate(names)))

    out = cli("extract", "in.jsonl", "--as-of", AS_OF, "--format", "csv", "-o", "-").out

    assert out.splitlines()[1:] == [
        "0,NULL,,0,",
        "1,null,,0,",
        "2,None,,0,",
        "3,NaN,,0,",
        '4,"""""",,0,',
        "5,\\N,,0,",
        "6,,,0,",
    ]


@pytest.mark.parametrize("more", [(), ("--annotate",)], ids=["as it came", "annotated"])
def test_a_file_is_what_its_suffix_promises(cli, tmp_path, more):
    """Whatever text is in it: quotes, commas, escaped and odd line ends."""
    name = 'a "b", \\ \n c\u2028d\x85e'
    given = [facility(f"F{n}", LATER, facility_name=name) for n in range(3)]
    write(tmp_path / "in.jsonl", *given)

    def written(suffix):
        call = ("filter-expiring", "in.jsonl", "--as-of", AS_OF, *more, "-o", f"x{suffix}")
        assert cli(*call).code == 0
        return tmp_path / f"x{suffix}"

    added = {"expiring"} if more else set()
    lines = written(".ndjson").read_bytes().removesuffix(b"\n").split(b"\n")
    array = json.loads(written(".json").read_bytes())
    table = pyarrow.parquet.read_table(written(".parquet")).to_pylist()
    sheet = rows_of(written(".csv").read_bytes().decode())
    for records in (
        [json.loads(line) for line in lines],
        array,
        [json.loads(row["record"]) for row in table],
        [json.loads(row[-1]) for row in sheet],
    ):
        assert [set(record) - set(given[0]) for record in records] == [added] * 3
        assert [{key: record[key] for key in given[0]} for record in records] == given
    assert [row["facility_name"] for row in table] == [row[1] for row in sheet] == [name] * 3
