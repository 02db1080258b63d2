"""Facts about the functions that the queries of `sql/` rest on, each tried out without a file."""

from collections.abc import Callable, Mapping
from typing import Any

from healthpipe.doctor.fact import Fact
from healthpipe.doctor.harness import Bench, listed
from healthpipe.engines.athena.types import Types

TEXT, NUMBER, FLAG = "VARCHAR", "BIGINT", "BOOLEAN"
LARGE = 999_999_999_999_999_999


def _found(query: str, types: Types) -> Callable[[Bench], list[Any]]:
    """A look at the rows of a query, of which decimals are told as texts."""

    def look(bench: Bench) -> list[Any]:
        return listed([tuple(map(_document, row)) for row in bench.rows(query, types)])

    return look


def _document(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _fact(name: str, told: str, query: str, found: Mapping[str, str], expected: Any) -> Fact:
    return Fact(name, told, expected, _found(" ".join(query.split()), found))


FACTS = [
    _fact(
        "json-parse",
        "try(json_parse()) is NULL for what is not JSON, and nothing else",
        """
        select given, try(json_parse(given)) is null as refused
        from (values '{"a": [{}]}', '{"a": 1', '{"a": 1} x', 'null') as texts (given)
        """,
        {"given": TEXT, "refused": FLAG},
        [["null", False], ['{"a": 1', True], ['{"a": 1} x', True], ['{"a": [{}]}', False]],
    ),
    _fact(
        "unnest",
        "UNNEST WITH ORDINALITY counts the items of a list from 1",
        """
        select items.item, items.word from (select split('b a', ' ') as words) as lists
        cross join unnest(lists.words) with ordinality as items (word, item)
        """,
        {"item": NUMBER, "word": TEXT},
        [[1, "b"], [2, "a"]],
    ),
    _fact(
        "sums",
        "sums of DECIMAL(38,0) are exact",
        f"""
        select sum(cast(n as decimal(38, 0))) as total
        from (values {LARGE}, {LARGE}, {LARGE}) as numbers (n)
        """,
        {"total": "DECIMAL(38,0)"},
        [str(3 * LARGE)],
    ),
    _fact(
        "maps",
        "element_at of a map and of a list is NULL where there is nothing",
        """
        select element_at(map(array['a'], array['b']), 'a') as found,
        element_at(map(array['a'], array['b']), 'c') as missing,
        element_at(array['a'], 2) as beyond
        """,
        {"found": TEXT, "missing": TEXT, "beyond": TEXT},
        [["b", None, None]],
    ),
    _fact(
        "rows-as-json",
        "a ROW becomes a JSON object with the names of its fields",
        """
        select json_format(cast(array_agg(
          cast(row(n, cast(null as varchar)) as row(item bigint, word varchar)) order by n
        ) as json)) as document
        from (values 2, 1) as numbers (n)
        """,
        {"document": TEXT},
        ['[{"item":1,"word":null},{"item":2,"word":null}]'],
    ),
    _fact(
        "patterns",
        r"\z is the end of a text, not a line end before it",
        r"""
        select regexp_like('a', '^a\z') as whole, regexp_like(concat('a', chr(10)), '^a\z') as more
        """,
        {"whole": FLAG, "more": FLAG},
        [[True, False]],
    ),
    _fact(
        "dates",
        "try_cast tells days of the calendar from others",
        """
        select given, try_cast(given as date) is null as refused
        from (values '2024-02-29', '2026-02-29') as days (given)
        """,
        {"given": TEXT, "refused": FLAG},
        [["2024-02-29", False], ["2026-02-29", True]],
    ),
]
