"""The files that stages write: their columns and types, what other tools read, folders of them."""

import csv
import io
import json
from pathlib import Path

import duckdb
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthpipe.choices import Format
from healthpipe.contract import STATES
from healthpipe.engines.sql import columns, summary
from healthpipe.stages.catalog import STAGES, VIEWS
from tests.conftest import AS_OF, tree

# How each output is asked for.
CALLS = {
    "extract": ("extract",),
    "expiring": ("filter-expiring",),
    "expiring-annotated": ("filter-expiring", "--annotate"),
    "expiring-accreditations": ("filter-expiring", "--grain", "accreditation"),
    "state-counts": ("state-counts",),
    "expiry-calendar": ("expiry-calendar",),
    **{view.name: ("normalize",) for view in STAGES["normalize"].views},
}
POLARS_TYPES = {
    "VARCHAR": polars.String,
    "DATE": polars.Date,
    "INTEGER": polars.Int32,
    "BIGINT": polars.Int64,
    "DECIMAL(38,0)": polars.Decimal(38, 0),
}


@pytest.fixture
def parquet(cli, examples):
    """The Parquet file of an output on the example records."""

    def write(name: str) -> Path:
        output = cli(
            *CALLS[name], "examples", "--as-of", AS_OF, "--format", "parquet", "--json"
        ).document["output"]
        files = output.get("files", [output])
        return Path(next(file["path"] for file in files if file["view"] == name))

    return write


def test_there_is_a_call_for_every_output_of_a_stage():
    assert set(CALLS) == set(VIEWS) - {"rejects", "issues"}


@pytest.mark.parametrize("name", CALLS)
def test_an_output_has_the_columns_and_types_that_are_told_of_it(parquet, name):
    path = str(parquet(name))

    with duckdb.connect() as connection:
        described = connection.execute("describe from read_parquet($1)", [path]).fetchall()
    told = columns(VIEWS[name].sql_name)
    assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in told]
    assert all(len(column.meaning) > 5 for column in told)


@pytest.mark.parametrize("name", ["rejects", "issues"])
def test_what_every_run_leaves_has_the_columns_that_are_told_of_it(cli, examples, name):
    run = cli("extract", "examples", "--json").document["run_id"]

    with duckdb.connect() as connection:
        described = connection.execute(f"describe from 'data/runs/{run}/{name}.parquet'").fetchall()
    assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in columns(name)]


@pytest.mark.parametrize("name", CALLS)
def test_pandas_and_polars_read_the_same_rows_and_types_as_duckdb(parquet, name):
    path = parquet(name)
    told = columns(VIEWS[name].sql_name)

    with duckdb.connect() as connection:
        rows = connection.execute("from read_parquet($1)", [str(path)]).fetchall()
    by_polars = polars.read_parquet(path)
    assert by_polars.rows() == rows
    assert dict(by_polars.schema) == {c.name: POLARS_TYPES[c.type] for c in told}
    by_pandas = pandas.read_parquet(path, dtype_backend="pyarrow")
    values = by_pandas.astype(object).where(by_pandas.notna(), None)
    assert list(values.itertuples(index=False, name=None)) == rows


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    | st.sampled_from('",\r\n '),
    max_size=12,
)


def in_csv(cli, tmp_path, names, *arguments) -> tuple[bytes, list[list[str]]]:
    """The bytes of an extract of facilities with these names, and its rows without the header."""
    records = (
        {"facility_id": f"{number:03}", "facility_name": name} for number, name in enumerate(names)
    )
    path = tmp_path / "names.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    content = cli("extract", path, "--format", "csv", "-o", "-", "-q", *arguments).out
    rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    return content.encode(), rows[1:]


def test_csv_holds_any_text_as_rfc_4180_has_it(cli, tmp_path):
    @given(st.lists(TEXT, min_size=1, max_size=20))
    @settings(max_examples=15, deadline=None)
    def check(names):
        content, rows = in_csv(cli, tmp_path, names)
        assert [row[1] for row in rows] == [name.strip(" \t\r\n") for name in names]
        assert content.endswith(b"\r\n")

    check()


def test_lines_of_csv_end_in_cr_lf_and_null_is_nothing(cli, tmp_path):
    content, _ = in_csv(cli, tmp_path, ["a", None])

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

    assert [row[1] for row in in_csv(cli, tmp_path, names)[1]] == names
    _, rows = in_csv(cli, tmp_path, names, "--spreadsheet-safe")
    assert [row[1] for row in rows] == [*(f"'{name}" for name in FORMULAS), *HARMLESS]
    content, _ = in_csv(cli, tmp_path, [None, "a"], "--spreadsheet-safe")
    assert content.splitlines()[1:] == [b"000,,,0,", b"001,a,,0,"]


def test_negative_days_stay_numbers_for_a_spreadsheet(cli, examples):
    out = cli(
        "filter-expiring", "examples", "--as-of", AS_OF, "--grain", "accreditation",
        "--include-expired", "--spreadsheet-safe", "-q", "-o", "-",
    ).out  # fmt: skip

    days = [int(row["days_until_expiry"]) for row in csv.DictReader(io.StringIO(out))]
    assert min(days) < 0 < max(days)
    assert days == sorted(days)


def test_counts_of_states_have_a_twin_that_says_where_they_come_from(cli, examples, tmp_path):
    document = cli("state-counts", "examples", "--as-of", AS_OF, "--json").document

    main, twin = document["output"]["files"]
    assert document["output"]["path"] == main["path"]
    assert (main["format"], twin["format"]) == ("csv", "json")
    content = json.loads(Path(twin["path"]).read_text())
    assert content["metadata"].pop("generated_at").startswith("20")
    assert content["metadata"] == {
        "run_id": document["run_id"],
        "as_of": AS_OF,
        "sources": ["examples"],
        "engine": "duckdb",
        "query_ids": [],
    }
    rows = list(csv.DictReader(Path(main["path"]).read_text().splitlines()))
    assert [{k: str(v) for k, v in row.items()} for row in content["rows"]] == rows


def test_a_named_file_has_no_twin_beside_it(cli, examples, tmp_path):
    cli("state-counts", "examples", "-o", tmp_path / "out.csv")

    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]


def test_every_state_has_a_row_if_that_is_wanted(cli, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"facility_id": "1", "location": {"state": "=guam"}}\n')

    def states(*arguments):
        out = cli("state-counts", "x.jsonl", "-q", "-o", "-", *arguments).out
        return [line.partition(",")[0] for line in out.splitlines()[1:]]

    assert states() == ["=GUAM"]
    assert len(states("--include-zero")) == 57
    assert sorted(states("--include-zero", "--strict-states")) == sorted({*STATES, "UNKNOWN"})


@pytest.mark.parametrize("fmt", Format)
def test_the_flat_tables_lie_in_one_folder(cli, examples, tmp_path, fmt):
    outcome = cli("normalize", "examples", "--format", fmt.value, "-o", "tables")

    assert outcome.out == "tables\n"
    assert tree(tmp_path / "tables") == {
        f"{name}.{fmt.value}"
        for name in (
            "facilities",
            "facility_services",
            "facility_labs",
            "lab_certifications",
            "facility_accreditations",
        )
    }


def test_no_records_are_five_tables_without_rows(cli, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"facility_id": "1", "services": [], "labs": []}\n')

    document = cli("normalize", "x.jsonl", "--json").document

    rows = {file["view"]: file["rows"] for file in document["output"]["files"]}
    assert rows.pop("facilities") == 1
    assert set(rows.values()) == {0}
    assert len(rows) == 4


def test_an_earlier_folder_of_tables_is_replaced_whole(cli, examples, tmp_path):
    cli("normalize", "examples", "--format", "csv", "-o", "tables")

    assert cli("normalize", "examples", "-o", "tables").code == 0

    assert {path.suffix for path in (tmp_path / "tables").iterdir()} == {".parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"data", "examples", "tables"}


def test_a_folder_with_anything_else_in_it_is_not_replaced(cli, examples, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "thesis.doc").touch()

    outcome = cli("normalize", "examples", "-o", "tables")

    assert outcome.code == 2
    assert "thesis.doc" in outcome.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("output", "what"), [("-", "several files"), ("file", "is a file"), ("examples/x", "inside")]
)
def test_five_tables_need_a_folder_outside_the_source(cli, examples, tmp_path, output, what):
    (tmp_path / "file").touch()

    outcome = cli("normalize", "examples", "-o", output)

    assert (outcome.code, outcome.out) == (2, "")
    assert what in outcome.err


def test_when_one_table_fails_the_earlier_folder_stays(cli, examples, tmp_path, monkeypatch):
    cli("normalize", "examples", "--format", "csv", "-o", "tables")
    before = tree(tmp_path)
    from healthpipe.engines.duckdb import DuckDBEngine

    write = DuckDBEngine.write

    def fail_late(engine, relation, path, fmt):
        if path.stem == "facility_accreditations":
            raise OSError("broken")
        return write(engine, relation, path, fmt)

    monkeypatch.setattr(DuckDBEngine, "write", fail_late)

    assert cli("normalize", "examples", "-o", "tables").code == 4

    assert {name for name in tree(tmp_path) if not name.startswith("data/")} == {
        name for name in before if not name.startswith("data/")
    }


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


def test_the_grain_of_accreditations_has_nothing_to_annotate(cli, examples):
    outcome = cli("filter-expiring", "examples", "--annotate", "--grain", "accreditation")

    assert outcome.code == 2
    assert "drop one of them" in outcome.err


def test_the_calendar_counts_by_month_and_body(cli, examples):
    out = cli("expiry-calendar", "examples", "--as-of", AS_OF, "--days", "30", "-q", "-o", "-").out

    assert out.splitlines() == [
        "month,accreditation_body,accreditations,facilities",
        "2026-02-01,AAAHC,1,1",
        "2026-02-01,Joint Commission,3,2",
        "2026-03-01,AAAHC,1,1",
        "2026-03-01,Joint Commission,2,2",
    ]


def test_describe_tells_of_every_output_in_a_line(cli):
    outcome = cli("describe")

    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert [line[0] for line in lines] == list(VIEWS)
    assert all(told == summary(VIEWS[name].sql_name) != "" for name, _, told in lines)


@pytest.mark.parametrize("name", VIEWS)
def test_describe_tells_of_every_column(cli, name):
    outcome = cli("describe", name)
    document = cli("describe", name, "--json").document

    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert [list(column.values()) for column in document["columns"]] == lines
    assert (document["command"], document["view"]) == ("describe", name)


def test_describe_names_what_is_near_a_name_that_is_none(cli):
    outcome = cli("describe", "facility_lab")

    assert outcome.code == 2
    assert "try facility_labs" in outcome.err


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
