"""One statement out of many definitions."""

import duckdb
import pytest

from healthpipe.engines.athena.relations import MAX_STATEMENT_BYTES, compose
from healthpipe.errors import UsageError


def rows(definitions, query, tables=None):
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema lake; create table lake.t_1 as select 7 as n")
        return connection.execute(compose(definitions, tables or {}, query)).fetchall()


def test_a_query_that_needs_no_definition_stays_as_it_is():
    assert compose({"a": "SELECT 1 AS n"}, {}, "SELECT 2 AS m") == "SELECT 2 AS m"


def test_only_the_definitions_that_are_needed_are_there_each_after_those_it_reads():
    definitions = {
        "a": "SELECT 1 AS n",
        "unused": "SELECT n FROM a",
        "b": "SELECT n + 1 AS n FROM a",
        "c": "SELECT a.n + b.n AS n FROM a CROSS JOIN b",
    }
    text = compose(definitions, {}, "SELECT n FROM c")
    assert "unused" not in text
    assert text.index("a AS (") < text.index("b AS (") < text.index("c AS (")
    assert rows(definitions, "SELECT n FROM c") == [(3,)]


def test_a_name_that_is_a_table_is_read_under_its_own_name():
    definitions = {"a": "SELECT found.n FROM found"}
    tables = {"found": '"lake"."t_1"'}
    assert rows(definitions, "SELECT a.n, found.n, f.n FROM a, found, found AS f", tables) == [
        (7, 7, 7)
    ]


def test_what_a_definition_calls_its_own_is_nobody_elses():
    definitions = {
        "a": "WITH own AS (SELECT 1 AS n) SELECT n FROM own",
        "own": "SELECT 2 AS n",
        "b": "WITH a AS (SELECT n + 10 AS n FROM a) SELECT a.n FROM a",
    }
    assert rows(definitions, "SELECT a.n, b.n, own.n FROM a, b, own") == [(1, 11, 2)]
    assert "own AS (SELECT 2" not in compose(definitions, {}, "SELECT n FROM a")


def test_a_relation_of_a_subquery_counts_too():
    definitions = {"a": "SELECT 1 AS n", "b": "SELECT 2 AS n"}
    query = "SELECT n FROM a WHERE n NOT IN (SELECT n FROM b) UNION ALL SELECT n FROM b"
    assert rows(definitions, query) == [(1,), (2,)]


def test_a_query_keeps_its_order_beside_the_definitions_with_its_own_relations():
    definitions = {"a": "SELECT unnest([2, 1, 3]) AS n"}
    query = "WITH doubled AS (SELECT 2 * n AS n FROM a) SELECT n FROM doubled ORDER BY n DESC"
    text = compose(definitions, {}, query)
    assert text.endswith("SELECT n FROM doubled ORDER BY n DESC")
    assert text.count("WITH") == 1
    assert rows(definitions, query) == [(6,), (4,), (2,)]


def test_a_query_whose_own_relation_has_the_name_of_a_definition_it_needs_is_refused():
    definitions = {"a": "SELECT 1 AS n"}
    with pytest.raises(LookupError, match="a is a definition"):
        compose(definitions, {}, "WITH a AS (SELECT n FROM a) SELECT n FROM a")


def test_a_name_that_nobody_defines_before_it_is_read_is_refused():
    with pytest.raises(LookupError, match="nobody"):
        compose({}, {}, "SELECT 1 FROM nobody")
    with pytest.raises(LookupError, match="later"):
        compose({"a": "SELECT 1 FROM later", "later": "SELECT 1"}, {}, "SELECT 1 FROM a")


def test_a_statement_longer_than_athena_takes_is_refused_with_its_size():
    query = f"SELECT '{'x' * MAX_STATEMENT_BYTES}'"
    with pytest.raises(UsageError, match="262,153 bytes, and Athena takes 262,144"):
        compose({}, {}, query)
    assert compose({}, {}, query[:-10] + "'")
