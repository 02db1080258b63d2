"""The SQL files and how values enter them."""

import datetime
import re
from enum import StrEnum

import pytest
import sqlglot
from sqlglot import exp

from healthpipe.contract import CONSTANTS, Reason
from healthpipe.engines.base import Query
from healthpipe.engines.sql import adapter_text, athena_source, literal, sql_folder, statement
from healthpipe.stages.curate import Projection, projection_values
from healthpipe.stages.options import RawOptions
from tests.support.patterns import in_duckdb

FILES = sorted(sql_folder().glob("*.sql"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
ADAPTER = sql_folder() / "athena" / "source.sql"
ADAPTER_FUNCTIONS = sorted({*sql_folder().glob("athena/*.sql")} - {ADAPTER})
FUNCTIONS = sorted(sql_folder().glob("functions/*.sql"))
VALUES = RawOptions().checked("2026-01-05").values() | projection_values(frozenset(Projection))


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
    with pytest.raises(LookupError, match=r"as_of, .*window_end"):
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
    of_lines = {reason for reason in reasons if not reason.startswith("file_")}
    of_lines -= {"facility_id_pattern", "order_undecided"}
    assert words_of("judged") - KINDS - {"file_"} == of_lines
    assert words_of("records") & reasons == {"facility_id_pattern"}
    assert words_of("issues") - KINDS <= reasons
