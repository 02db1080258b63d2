"""CSV: RFC 4180, NULL and empty text kept apart, no formulas for a spreadsheet."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthpipe.choices import Format
from tests.conftest import AS_OF
from tests.support.records import facility, write_records

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    | st.sampled_from('",\r\n '),
    max_size=12,
)


def extract_as_csv(cli, tmp_path, names, *arguments) -> tuple[bytes, list[list[str]]]:
    """The bytes of an extract of facilities with these names, and its rows without the header.

    Words for nothing are names here.
    """
    records = (
        {"facility_id": f"{number:03}", "facility_name": name} for number, name in enumerate(names)
    )
    path = tmp_path / "names.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    output = ("--null-words", "", "--format", "csv", "-o", "-", "-q")
    content = cli("extract", path, *output, *arguments).out
    rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    return content.encode(), rows[1:]


def test_csv_holds_any_text_as_rfc_4180_has_it(cli, tmp_path):
    @given(st.lists(TEXT, min_size=1, max_size=20))
    @settings(max_examples=15, deadline=None)
    def check(names):
        content, rows = extract_as_csv(cli, tmp_path, names)
        assert [row[1] for row in rows] == [name.strip(" \t\r\n") for name in names]
        assert content.endswith(b"\r\n")

    check()


def test_lines_of_csv_end_in_cr_lf_and_null_is_nothing(cli, tmp_path):
    content, _ = extract_as_csv(cli, tmp_path, ["a", None])

    assert content.splitlines(keepends=True)[1:] == [b"000,a,,0,\r\n", b"001,,,0,\r\n"]


def test_an_empty_text_in_csv_is_a_pair_of_quotes(tmp_path):
    from healthpipe.engines import open_embedded
    from healthpipe.engines.base import Constants

    path = tmp_path / "x.csv"
    with open_embedded(tmp_path) as engine:
        engine.write(Constants(("a", "b"), (("", "x"),)), path, Format.CSV)

    assert path.read_bytes() == b'a,b\r\n"",x\r\n'


FORMULAS = ["=1+1", "+1 clinic", "-x", "@SUM(A1)", "=cmd|' /C calc'!A0", "\uff1dA1"]
HARMLESS = ["-5", "12", "a=1", "'quoted", "St. Anne - East", "(=)"]


def test_no_cell_is_a_formula_if_that_is_wanted(cli, tmp_path):
    names = [*FORMULAS, *HARMLESS]

    assert [row[1] for row in extract_as_csv(cli, tmp_path, names)[1]] == names
    _, rows = extract_as_csv(cli, tmp_path, names, "--spreadsheet-safe")
    assert [row[1] for row in rows] == [*(f"'{name}" for name in FORMULAS), *HARMLESS]
    content, _ = extract_as_csv(cli, tmp_path, [None, "a"], "--spreadsheet-safe")
    assert content.splitlines()[1:] == [b"000,,,0,", b"001,a,,0,"]


def test_negative_days_stay_numbers_for_a_spreadsheet(cli, examples):
    out = cli(
        "filter-expiring", "examples", "--as-of", AS_OF, "--grain", "accreditation",
        "--include-expired", "--spreadsheet-safe", "-q", "-o", "-",
    ).out  # fmt: skip

    days = [int(row["days_until_expiry"]) for row in csv.DictReader(io.StringIO(out))]
    assert min(days) < 0 < max(days)
    assert days == sorted(days)


@pytest.mark.pitfall(53)
@pytest.mark.every_engine
def test_null_in_csv_is_not_a_text_that_looks_like_it(cli, tmp_path):
    names = ["NULL", "null", "None", "NaN", '""', "\\N", None]
    write_records(
        tmp_path / "in.jsonl", *(facility(n, facility_name=name) for n, name in enumerate(names))
    )

    texts = ("--null-words", "")
    out = cli("extract", "in.jsonl", "--as-of", AS_OF, *texts, "--format", "csv", "-o", "-").out

    assert out.splitlines()[1:] == [
        "0,NULL,,0,",
        "1,null,,0,",
        "2,None,,0,",
        "3,NaN,,0,",
        '4,"""""",,0,',
        "5,\\N,,0,",
        "6,,,0,",
    ]
