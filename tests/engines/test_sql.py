"""The SQL files and how values enter them."""

import datetime
import re
from enum import StrEnum

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from healthpipe.contract import CONSTANTS, RULES, Reason, Severity
from healthpipe.engines.base import Query
from healthpipe.engines.sql import adapter_text, athena_source, literal, sql_folder, statement
from healthpipe.stages.curate import Projection, projection_values
from healthpipe.stages.options import options_from_words

FILES = sorted(sql_folder().glob("*.sql"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
ADAPTER = sql_folder() / "athena" / "source.sql"
ADAPTER_FUNCTIONS = sorted({*sql_folder().glob("athena/*.sql")} - {ADAPTER})
FUNCTIONS = sorted(sql_folder().glob("functions/*.sql"))
VALUES = options_from_words("2026-01-05", {}).values() | projection_values(frozenset(Projection))


def in_duckdb(query, *values):
    with duckdb.connect() as connection:
        return connection.execute(query, values).fetchone()


class Word(StrEnum):
    PLAIN = "plain"
    QUOTED = 'it\'s; --"$1" \\ :as_of'
    EMPTY = ""


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2026, 1, 5), datetime.date.min, datetime.date.max, datetime.date(45, 3, 15),
        True, False, 0, 1, -5, 3660, 2**62, *Word, [], list(Word), [Word.QUOTED],
    ],
)  # fmt: skip
def test_a_literal_means_its_value_and_has_its_type(value):
    (found,) = in_duckdb(f"select {literal(value).sql('duckdb')}")
    assert found == value
    assert type(found) is (str if isinstance(value, Word) else type(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.date(2026, 1, 5), "CAST('2026-01-05' AS DATE)"),
        (True, "TRUE"),
        (6, "6"),
        (Word.PLAIN, "'plain'"),
        (Word.QUOTED, "'it''s; --\"$1\" \\ :as_of'"),
        ([Word.PLAIN, Word.EMPTY], "ARRAY['plain', '']"),
    ],
)
def test_a_literal_is_written_for_athena(value, expected):
    # Only inside a query does sqlglot write Athena's SQL, not the Hive of its DDL.
    assert exp.select(literal(value)).sql("athena") == f"SELECT {expected}"


@pytest.mark.parametrize("value", ["text", "", "plain", ["plain"], [Word.PLAIN, "x"], None, 1.5])
def test_text_and_what_has_no_literal_is_refused(value):
    with pytest.raises(TypeError):
        literal(value)


def parsed(path):
    return sqlglot.parse(path.read_text(encoding="utf-8"), dialect="athena")


def placeholders(tree):
    return {node.name for node in tree.find_all(exp.Placeholder)}


@each_file
def test_a_file_is_a_comment_and_one_query_in_athenas_dialect(path):
    assert re.match(r"-- \w.+\n", path.read_text(encoding="utf-8"))
    (tree,) = parsed(path)
    assert isinstance(tree, exp.Query)


def test_the_placeholders_of_all_files_are_the_values_and_constants_that_there_are():
    texts = (*FILES, *FUNCTIONS, ADAPTER, *ADAPTER_FUNCTIONS)
    used = set().union(*(placeholders(parsed(path)[0]) for path in texts))
    assert used == {*CONSTANTS, *VALUES, "value"}


def test_a_placeholder_without_a_value_is_refused():
    with pytest.raises(LookupError, match="as_of, window_end"):
        statement(Query("lapsing", {"window_start": datetime.date.min}), "duckdb")


@each_file
@pytest.mark.parametrize("dialect", ["athena", "duckdb"])
def test_a_statement_for_an_engine_has_no_placeholder_left(path, dialect):
    tree = sqlglot.parse_one(statement(Query(path.stem, VALUES), dialect), dialect=dialect)
    assert placeholders(tree) == set()
    assert not {path.stem for path in FUNCTIONS} & {f.name for f in tree.find_all(exp.Anonymous)}


def test_athenas_adapter_gives_the_columns_of_duckdbs():
    ours, duckdbs = (
        sqlglot.parse_one(adapter_text(engine, "source"), dialect=engine)
        for engine in ("athena", "duckdb")
    )
    assert ours.named_selects == duckdbs.named_selects


def test_athenas_adapter_has_no_function_or_placeholder_left():
    tree = sqlglot.parse_one(athena_source(), dialect="athena")
    assert placeholders(tree) == set()
    own = {path.stem for path in (*FUNCTIONS, *ADAPTER_FUNCTIONS)}
    assert not own & {f.name for f in tree.find_all(exp.Anonymous)}


def test_no_relation_of_one_file_has_the_name_of_another_file():
    names = {"source", "rules", "answered", *(path.stem for path in FILES)}
    for path in (*FILES, ADAPTER):
        assert not names & {cte.alias for cte in parsed(path)[0].find_all(exp.CTE)}, path.stem


KINDS = {"object", "array", "null", "absent"}


def words_of(name):
    (tree,) = parsed(sql_folder() / f"{name}.sql")
    texts = {node.this for node in tree.find_all(exp.Literal) if node.is_string}
    return {text for text in texts if re.fullmatch(r"[a-z][a-z0-9_]+", text)}


def test_the_reasons_that_the_sql_names_are_those_of_the_contract():
    reasons = {reason.value for reason in Reason}
    assert words_of("judged") - KINDS == reasons - {"facility_id_pattern"}
    assert words_of("records") & reasons == {"facility_id_pattern"}
    assert words_of("issues") - KINDS <= reasons


REJECTS = {
    "not_utf8", "not_json", "not_object", "too_large", "too_deep", "facility_id_missing",
    "file_truncated", "file_unreadable", "file_not_json",
}  # fmt: skip
WARNS = {
    "facility_name_missing", "employee_count_invalid", "services_invalid", "labs_invalid",
    "accreditations_invalid", "accreditation_invalid", "accreditation_date_invalid",
    "state_missing", "state_not_recognised", "snapshot_date_invalid", "facility_id_pattern",
}  # fmt: skip


def test_every_reason_has_exactly_one_rule_of_the_contracts_severity():
    assert sorted(rule.reason for rule in RULES) == sorted(Reason)
    for severity, reasons in {Severity.REJECT: REJECTS, Severity.WARN: WARNS}.items():
        assert {rule.reason.value for rule in RULES if rule.severity is severity} <= reasons


def test_every_state_has_one_code_and_every_spelling_one_state():
    spellings, codes = CONSTANTS["state_spellings"], CONSTANTS["state_codes"]
    assert len(spellings) == len(set(spellings)) == len(codes)
    assert len(set(codes)) == 56
    state_of = dict(zip(spellings, codes, strict=True))
    assert [state_of[name] for name in ("NEW YORK", "NY", "DISTRICT OF COLUMBIA", "GUAM")] == [
        "NY", "NY", "DC", "GU",
    ]  # fmt: skip
    assert all(spelling == spelling.upper() for spelling in spellings)


def matches_in_python(pattern, text):
    return re.search(pattern.replace(r"\z", r"\Z"), text) is not None


def matches_in_duckdb(pattern, text):
    return in_duckdb("select regexp_matches($1, $2)", text, pattern)[0]


def without_in_python(pattern, text):
    return re.sub(pattern.replace(r"\z", r"\Z"), "", text)


def without_in_duckdb(pattern, text):
    return in_duckdb("select regexp_replace($1, $2, '', 'g')", text, pattern)[0]


NUMBERS = ["0", "7", "007", "123456789012345678", "000000000000000000"]
NO_NUMBERS = [
    "", " 7", "7 ", "7\n", "-1", "+1", "12.5", "1e3", "1_000", "1234567890123456789", "٢", "7\n7",
    "0x1", "½",
]  # fmt: skip
DAYS = ["2026-01-05", "0001-01-01", "0010-01-01", "0100-01-01", "1000-01-01", "9999-12-31"]
NO_DAYS = [
    "", "0000-01-01", "20260105", "2026-1-05", "2026-01-5", " 2026-01-05", "2026-01-05 ",
    "2026-01-05\n", "\n2026-01-05", "x\n2026-01-05", "2026-01-05T00:00:00Z", "12026-01-01",
    "026-01-01", "-026-01-01", "2026/01/05", "2026-W01-1", "٢٠٢٦-01-05", "2026-01-05\x00",
]  # fmt: skip


@pytest.mark.parametrize("matches", [matches_in_python, matches_in_duckdb])
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [("whole_number", NUMBERS, NO_NUMBERS), ("calendar_day", DAYS, NO_DAYS)],
)
def test_a_pattern_accepts_the_right_texts_and_no_others(matches, name, right, wrong):
    assert [text for text in right if not matches(CONSTANTS[name], text)] == []
    assert [text for text in wrong if matches(CONSTANTS[name], text)] == []


@pytest.mark.parametrize("without", [without_in_python, without_in_duckdb])
@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("x", "x"), (" x ", "x"), ("\t\r\n x\r\n\t", "x"), ("a \n\t b", "a \n\t b"),
        (" a \n b ", "a \n b"), ("", ""), (" \t\r\n", ""), ("\u00a0x\u00a0", "\u00a0x\u00a0"),
        ("\u3000x\x0b", "\u3000x\x0b"), ("\\t", "\\t"), ("trnt", "trnt"),
    ],
)  # fmt: skip
def test_the_outer_space_is_space_tab_cr_and_lf_at_both_ends(without, text, trimmed):
    assert without(CONSTANTS["outer_space"], text) == trimmed
