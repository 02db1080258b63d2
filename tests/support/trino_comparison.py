"""Files judged by a real Trino, compared with the oracle."""

import base64
import datetime
import gzip
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from healthpipe.engines.base import Query
from healthpipe.stages.catalog import LAPSING, STAGES
from healthpipe.stages.curate import Projection, judge_lines, keep_records
from tests.support.container_oracle import lines_of, split_lines
from tests.support.oracle import AS_IT_IS, File, Options, Oracle
from tests.support.oracle_comparison import (
    nest,
    split_annotations,
    stage_options,
    without_closing_brace,
)
from tests.support.trino_engine import RawFile, TrinoEngine

EVERYTHING = frozenset(Projection)


def as_landed(file: File, folder: str) -> RawFile:
    """A file as ingest leaves it for Athena: as it is, or landed where Athena would misread it."""
    lines, content, landed = lines_of(file.content), file.content, False
    if isinstance(lines, str):
        content, landed = b"\x01" + lines.encode(), True
    elif lines != split_lines(content) or content.startswith(b"\xef\xbb\xbf"):
        content, landed = b"".join(landed_line(line) + b"\n" for line in lines), True
    return RawFile(f"{folder}/{file.source}", file.source, content, file.folder_date, landed)


def landed_files_of(folder: Path, key: str) -> list[RawFile]:
    """The files of a folder of snapshots, plain or gzip, as ingest leaves them for Athena."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        source = path.relative_to(folder).as_posix()
        date = datetime.date.fromisoformat(path.parent.name)
        content = path.read_bytes()
        try:
            plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            file = as_landed(File(source, plain, date), key)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            file = RawFile("", source, b"\x01file_truncated", date, landed=True)
        # Trino takes for gzip what has its suffix, and nothing else.
        found.append(replace(file, key=f"{key}/{source.removesuffix('.gz')}"))
    return found


def landed_line(line: bytes) -> bytes:
    """A line as landing writes it: set aside in base64 where an engine cannot read it."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return base64.b64encode(line) + b"\x01not_utf8"
    return base64.b64encode(line) + b"\x01not_json" if b"\x01" in line else line


def judge_on_trino(engine: TrinoEngine, files: list[File], wanted: Options = AS_IT_IS) -> str:
    """Judge the lines of files; returns the identifier of the table of judged lines."""
    folder = f"raw {uuid4().hex} %20+ü"
    options = stage_options(wanted)
    judge_lines(engine, [as_landed(file, folder) for file in files], options)
    return engine.materialize("judged", Query("judged", options.values()))


def check_on_trino(engine: TrinoEngine, files: list[File], wanted: Options, table: str) -> None:
    """Compare every output, the issues, the rejects and the balance with the oracle's."""
    oracle = Oracle(files, wanted)
    options = stage_options(wanted)
    engine.read_table("judged", [table])
    keep_records(engine, options, EVERYTHING)
    check_counts(engine, options, oracle)
    rows = {
        view.sql_name: engine.rows(view.query(options))
        for name in ("extract", "state-counts", "normalize")
        for view in STAGES[name].views
    }
    assert rows["extract"] == oracle.extract()
    assert rows["state_counts"] == oracle.state_counts()
    nested = [rows[view.sql_name] for view in STAGES["normalize"].views]
    assert nest(nested) == oracle.nested()
    check_expiring(engine, options, oracle)
    top = Oracle(files, replace(wanted, top=3))
    assert engine.rows(Query("extract", stage_options(wanted, top=3).values(), limit=3)) == (
        top.extract()
    )


def check_counts(engine: TrinoEngine, options, oracle: Oracle) -> None:
    """Compare the issues, the rejects and the balance with the oracle."""
    verdict = oracle.verdict
    engine.define("rules", options.rules.relation())
    engine.define("issues", Query("issues", options.values()))
    assert dict(engine.rows(Query("issue_counts"))) == dict(verdict.issues)
    kept = ((source, line) for source, _, line, _ in engine.rows(Query("rejects")))
    assert Counter(kept) == Counter(verdict.rejected)
    rejected = len(verdict.rejected)
    accepted, current = verdict.lines - rejected, len(oracle.current)
    eligible = len({f.facility_id for f in oracle.current})
    assert engine.rows(Query("balance")) == [
        (verdict.lines, accepted, rejected, current, accepted - eligible)
    ]
    by_file = engine.rows(Query("balance_by_file"))
    assert {source: lines for source, lines, *_ in by_file} == +verdict.lines_by_file


def check_expiring(engine: TrinoEngine, options, oracle: Oracle) -> None:
    """Compare the views of expiring accreditations with the oracle."""
    engine.define(LAPSING, Query(LAPSING, options.values()))
    lines = [row[-1].encode() for row in engine.rows(Query("expiring"))]
    assert Counter(lines) == Counter(oracle.expiring().splitlines())
    annotated = [row[-1].encode() for row in engine.rows(Query("expiring_annotated"))]
    assert in_order(split_annotations(annotated)) == in_order(
        without_closing_brace(oracle.expiring_details())
    )
    assert engine.rows(Query("expiring_accreditations")) == oracle.expiring_accreditations()
    assert engine.rows(Query("expiry_calendar")) == oracle.expiry_calendar()
    assert engine.rows(Query("already_expired")) == [(oracle.already_expired(),)]


def in_order(annotated: list[tuple[bytes, list[dict]]]) -> list[tuple[bytes, list[dict]]]:
    return sorted(annotated, key=lambda pair: pair[0])
