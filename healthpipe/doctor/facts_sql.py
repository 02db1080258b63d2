"""Facts about `sql/athena`, which takes raw lines apart, and about the stages over it.

Facts about the functions that the queries of `sql/` rest on, each tried out without a file.
"""

from collections.abc import Callable, Mapping
from typing import Any

from healthpipe.choices import EngineName
from healthpipe.contract import MAX_DEPTH
from healthpipe.doctor.harness import Fact, Harness, listed
from healthpipe.engines import open_engine
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import LineFile, Query
from healthpipe.stages.curate import Projection, judge_lines, keep_records
from healthpipe.stages.options import options_from_words

LANDED = "landed"
# By the name of its file: a line, and what the contract says it is.
KINDS = {
    "object": (b'{"a": [1, 2.5, "\\ud83c\\udfe5"]}', "object"),
    "array": (b"[1]", "array"),
    "text": (b'"a"', "string"),
    "cut-off": (b'{"a": 1', "not_json"),
    "control": (b'{"a": "\x01"}', "not_json"),
    "surrogate": (b'{"a": "\\ud83c"}', "not_json"),
    "nan": (b'{"a": NaN}', "not_json"),
    "utf8": (b'{"a": "\xff"}', "not_utf8"),
    "deepest": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "array"),
    "too-deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep"),
    "thousands": (b"[" * 5000 + b"]" * 5000, "too_deep"),
    "unclosed": (b"[" * 5000, "not_json"),
    LANDED: (b"bm9uZQ==\x01not_json", "not_json"),
}
# JSON values, and what each is as text.
TEXTS = {
    '"a"': "a",
    "12": "12",
    "true": "true",
    "1.0": None,
    "1e400": None,
    "-0": None,
    "null": None,
    '{"a": 1}': None,
    '"{"': "{",
}
RECORDS = b"""{"facility_id": "B", "location": {"state": "ca"}, \
 "employee_count": 999999999999999999, "services": ["x", 1], \
 "accreditations": [{"valid_until": "2026-03-01"}, {"valid_until": "n/a"}]}
{"facility_id": "A", "location": {"state": "California"}, "employee_count": "7"}
{"facility_id": "A", "location": {"state": "TX"}, "snapshot_date": "2026-01-01"}
no json
"""
DAY = "2026-02-15"


def _kinds(bench: Harness) -> dict[str, str]:
    files = {name: line + b"\n" for name, (line, _) in KINDS.items()}
    text = bench.lines(files, landed=[LANDED]).statement("select source, kind from source")
    return dict(sorted(bench.rows(text, {"source": "VARCHAR", "kind": "VARCHAR"})))


def _texts(bench: Harness) -> dict[str, str | None]:
    files = {str(n): f'{{"facility_id": {value}}}'.encode() for n, value in enumerate(TEXTS)}
    text = bench.lines(files).statement("select source, facility_id from source")
    found: dict[str, str] = dict(bench.rows(text, {"source": "VARCHAR", "facility_id": "VARCHAR"}))
    return {value: found[str(n)] for n, value in enumerate(TEXTS)}


def _bytes(bench: Harness) -> list[Any]:
    relations = bench.lines({"lines.txt": b"\xff\xc3\xbca\n"})
    text = relations.statement("select to_hex(to_utf8(line)) as bytes from raw_lines")
    return listed(bench.rows(text, {"bytes": "VARCHAR"}))


def _stages(bench: Harness) -> dict[str, Any]:
    """The engine itself, from raw lines to small results."""
    uri = bench.put("records.jsonl", RECORDS)
    options = options_from_words(DAY, {"months": 1})
    with open_engine(EngineName.ATHENA, bench.workplace, bench.settings) as engine:
        judge_lines(engine, [LineFile(uri, "records.jsonl", None, landed=False, size=len(RECORDS))])
        keep_records(engine, options, {Projection.EXPIRING_ACCREDITATIONS})
        counts = engine.rows(Query("state_counts", options.values()))
        (balance,) = engine.rows(Query("balance"))
    return {"state_counts": [[*map(str, row)] for row in counts], "balance": list(balance)}


ADAPTER_FACTS = [
    Fact(
        "kinds",
        "each line is what the contract says it is",
        {name: kind for name, (_, kind) in sorted(KINDS.items())},
        _kinds,
    ),
    Fact("texts", "each JSON value is the text that the contract says", TEXTS, _texts),
    Fact("bytes", "bytes that are not UTF-8 pass as they are", ["FFC3BC61"], _bytes),
    Fact(
        "stages",
        "the statements of curate and of a stage give the rows that the contract says",
        {
            "state_counts": [
                ["CA", "1", "1", "999999999999999999", "1"],
                ["TX", "0", "1", "0", "0"],
            ],
            "balance": [4, 3, 1, 2, 1],
        },
        _stages,
    ),
]


TEXT, NUMBER, FLAG = "VARCHAR", "BIGINT", "BOOLEAN"
LARGE = 999_999_999_999_999_999


def _found(query: str, types: Types) -> Callable[[Harness], list[Any]]:
    """A look at the rows of a query, of which decimals are told as texts."""

    def look(bench: Harness) -> list[Any]:
        return listed([tuple(map(_document, row)) for row in bench.rows(query, types)])

    return look


def _document(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _fact(name: str, told: str, query: str, found: Mapping[str, str], expected: Any) -> Fact:
    return Fact(name, told, expected, _found(" ".join(query.split()), found))


SQL_FACTS = [
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
