"""Facts about the adapter in `sql/athena`, the stages over it, and SQL functions.

The adapter parses raw lines; the functions are those that the queries of `sql/` depend on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from healthpipe.choices import EngineName
from healthpipe.contract import MAX_DEPTH
from healthpipe.doctor.harness import Fact, Harness, sorted_rows
from healthpipe.engines import open_engine
from healthpipe.engines.athena.schema import Types
from healthpipe.engines.base import LineFile, Query
from healthpipe.stages.curate import Projection, judge_lines, keep_records
from healthpipe.stages.options import RawOptions

LANDED = "landed"
# By file name: a line, and its kind by the contract.
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
# JSON values, and their text by the contract.
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


def _read_kinds(harness: Harness) -> dict[str, str]:
    files = {name: line + b"\n" for name, (line, _) in KINDS.items()}
    text = harness.read_files(files, landed=[LANDED]).statement("select source, kind from source")
    return dict(sorted(harness.rows(text, {"source": "VARCHAR", "kind": "VARCHAR"})))


def _read_texts(harness: Harness) -> dict[str, str | None]:
    files = {str(n): f'{{"facility_id": {value}}}'.encode() for n, value in enumerate(TEXTS)}
    text = harness.read_files(files).statement("select source, facility_id from source")
    texts: dict[str, str] = dict(
        harness.rows(text, {"source": "VARCHAR", "facility_id": "VARCHAR"})
    )
    return {value: texts[str(n)] for n, value in enumerate(TEXTS)}


def _read_bytes(harness: Harness) -> list[Any]:
    relations = harness.read_files({"lines.txt": b"\xff\xc3\xbca\n"})
    text = relations.statement("select to_hex(to_utf8(line)) as bytes from raw_lines")
    return sorted_rows(harness.rows(text, {"bytes": "VARCHAR"}))


def _run_stages(harness: Harness) -> dict[str, Any]:
    """Run curate and a stage with the engine itself."""
    uri = harness.write("records.jsonl", RECORDS)
    options = RawOptions(months=1).checked(DAY)
    with open_engine(EngineName.ATHENA, harness.workplace, harness.settings) as engine:
        file = LineFile(uri, "records.jsonl", None, landed=False, size=len(RECORDS))
        judge_lines(engine, [file], options)
        keep_records(engine, options, {Projection.EXPIRING_ACCREDITATIONS})
        counts = engine.rows(Query("state_counts", options.values()))
        (balance,) = engine.rows(Query("balance"))
    return {"state_counts": [[*map(str, row)] for row in counts], "balance": list(balance)}


ADAPTER_FACTS = [
    Fact(
        "kinds",
        "each line is what the contract says it is",
        {name: kind for name, (_, kind) in sorted(KINDS.items())},
        _read_kinds,
    ),
    Fact("texts", "each JSON value is the text that the contract says", TEXTS, _read_texts),
    Fact("bytes", "bytes that are not UTF-8 pass as they are", ["FFC3BC61"], _read_bytes),
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
        _run_stages,
    ),
]


TEXT, NUMBER, FLAG = "VARCHAR", "BIGINT", "BOOLEAN"
LARGE = 999_999_999_999_999_999


def _row_reader(query: str, types: Types) -> Callable[[Harness], list[Any]]:
    """Create a function that runs a query and returns its rows as JSON."""

    def read(harness: Harness) -> list[Any]:
        return sorted_rows([tuple(map(_json_value, row)) for row in harness.rows(query, types)])

    return read


def _json_value(value: Any) -> Any:
    """Convert a value of a row to JSON: decimals and dates become texts."""
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _query_fact(
    name: str, statement: str, query: str, types: Mapping[str, str], expected: Any
) -> Fact:
    return Fact(name, statement, expected, _row_reader(" ".join(query.split()), types))


SQL_FACTS = [
    _query_fact(
        "json-parse",
        "try(json_parse()) is NULL for what is not JSON, and nothing else",
        """
        select given, try(json_parse(given)) is null as refused
        from (values '{"a": [{}]}', '{"a": 1', '{"a": 1} x', 'null') as texts (given)
        """,
        {"given": TEXT, "refused": FLAG},
        [["null", False], ['{"a": 1', True], ['{"a": 1} x', True], ['{"a": [{}]}', False]],
    ),
    _query_fact(
        "unnest",
        "UNNEST WITH ORDINALITY counts the items of a list from 1",
        """
        select items.item, items.word from (select split('b a', ' ') as words) as lists
        cross join unnest(lists.words) with ordinality as items (word, item)
        """,
        {"item": NUMBER, "word": TEXT},
        [[1, "b"], [2, "a"]],
    ),
    _query_fact(
        "sums",
        "sums of DECIMAL(38,0) are exact",
        f"""
        select sum(cast(n as decimal(38, 0))) as total
        from (values {LARGE}, {LARGE}, {LARGE}) as numbers (n)
        """,
        {"total": "DECIMAL(38,0)"},
        [str(3 * LARGE)],
    ),
    _query_fact(
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
    _query_fact(
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
    _query_fact(
        "patterns",
        r"\z is the end of a text, not a line end before it",
        r"""
        select regexp_like('a', '^a\z') as whole, regexp_like(concat('a', chr(10)), '^a\z') as more
        """,
        {"whole": FLAG, "more": FLAG},
        [[True, False]],
    ),
    _query_fact(
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
