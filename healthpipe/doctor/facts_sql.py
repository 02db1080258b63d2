"""Facts about `sql/athena`, which takes raw lines apart, and about the stages over it."""

from typing import Any

from healthpipe.choices import EngineName
from healthpipe.contract import MAX_DEPTH
from healthpipe.doctor.fact import Fact
from healthpipe.doctor.harness import Bench, listed
from healthpipe.engines import open_engine
from healthpipe.engines.base import LineFile
from healthpipe.engines.query import Query
from healthpipe.stages.carried import Carried
from healthpipe.stages.curate import judge_lines, keep_records
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


def _kinds(bench: Bench) -> dict[str, str]:
    files = {name: line + b"\n" for name, (line, _) in KINDS.items()}
    text = bench.lines(files, landed=[LANDED]).statement("select source, kind from source")
    return dict(sorted(bench.rows(text, {"source": "VARCHAR", "kind": "VARCHAR"})))


def _texts(bench: Bench) -> dict[str, str | None]:
    files = {str(n): f'{{"facility_id": {value}}}'.encode() for n, value in enumerate(TEXTS)}
    text = bench.lines(files).statement("select source, facility_id from source")
    found: dict[str, str] = dict(bench.rows(text, {"source": "VARCHAR", "facility_id": "VARCHAR"}))
    return {value: found[str(n)] for n, value in enumerate(TEXTS)}


def _bytes(bench: Bench) -> list[Any]:
    relations = bench.lines({"lines.txt": b"\xff\xc3\xbca\n"})
    text = relations.statement("select to_hex(to_utf8(line)) as bytes from raw_lines")
    return listed(bench.rows(text, {"bytes": "VARCHAR"}))


def _stages(bench: Bench) -> dict[str, Any]:
    """The engine itself, from raw lines to small results."""
    uri = bench.put("records.jsonl", RECORDS)
    options = options_from_words(DAY, {"months": 1})
    with open_engine(EngineName.ATHENA, bench.workplace, bench.settings) as engine:
        judge_lines(engine, [LineFile(uri, "records.jsonl", None, landed=False, size=len(RECORDS))])
        keep_records(engine, options, {Carried.EXPIRING_ACCREDITATIONS})
        counts = engine.rows(Query("state_counts", options.values()))
        (balance,) = engine.rows(Query("balance"))
    return {"state_counts": [[*map(str, row)] for row in counts], "balance": list(balance)}


FACTS = [
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
