"""The Athena engine over a local AWS whose Athena runs its queries: the rows are DuckDB's."""

import datetime
import threading
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest

from healthpipe.aws.access import AthenaSettings
from healthpipe.contract import CONSTANTS
from healthpipe.engines.athena.naming import drop_tables
from healthpipe.engines.athena.queries import stop_queries
from healthpipe.engines.base import LinesRefused
from healthpipe.engines.query import Constants, Query
from healthpipe.errors import OutOfTime, ServiceFailed, StillRunning, UsageError
from healthpipe.stages.carried import Carried
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.curate import judge_lines, keep_records
from healthpipe.stages.options import options_from_words
from healthpipe.stages.writing import define_relations
from healthpipe.words import Format
from tests.athena_site import BUCKET, PLACE, RUN_ID, running_aws, site  # noqa: F401 - fixtures
from tests.dirty import Dirt, many_records
from tests.oracle import Options
from tests.against_oracle import words

AS_OF = datetime.date(2026, 2, 15)
LINE = (
    b'{"facility_id": "F1", "facility_name": "Mercy", "location": {"state": "CA"},'
    b' "accreditations": [{"valid_until": "2026-03-01"}, {"valid_until": "n/a"}]}\n'
)
COLUMNS = ("name", "number")


def options(**shape):
    return options_from_words(AS_OF.isoformat(), words(Options(as_of=AS_OF)) | shape)


def in_utf8(content: bytes) -> bytes:
    """The lines that DuckDB's reader takes where they lie."""
    kept = []
    for line in content.splitlines(keepends=True):
        try:
            kept.append(line.decode().encode())
        except UnicodeDecodeError:
            continue
    return b"".join(kept)


def judged(engine, files, **shape):
    """Make `records` and `current` of raw files."""
    judge_lines(engine, files)
    keep_records(engine, options(**shape), set(Carried))


def rows_of(path, fmt: Format) -> list:
    if fmt is Format.PARQUET:
        with duckdb.connect() as connection:
            described = connection.execute(f"describe from '{path}'").fetchall()
            found = connection.execute(f"from '{path}'").fetchall()
        return [[column[:2] for column in described], *found]
    return [path.read_bytes()]


def written(engine, folder, outputs, chosen) -> dict[str, list]:
    """What an engine writes of views in formats."""
    folder.mkdir(exist_ok=True)
    found = {}
    for view, fmt in outputs:
        define_relations(engine, view, chosen)
        path = folder / f"{engine.name}-{view.name}.{fmt}"
        engine.write(view.query(chosen), path, fmt)
        found[path.suffix, view.name] = rows_of(path, fmt)
    return found


def test_dirty_records_give_the_rows_of_duckdb_in_every_view(site, tmp_path):
    files = [
        site.lines(file.source, in_utf8(file.content), file.folder_date)
        for file in many_records(11, 60, 0.15)
    ]
    chosen = options(months=6)
    parquet = [(view, Format.PARQUET) for stage in STAGES.values() for view in stage.views]
    found, lines, issues = [], [], []
    with site.both() as engines:
        for engine in engines:
            judged(engine, files)
            found.append(written(engine, tmp_path / "out", parquet, chosen))
            path = tmp_path / f"{engine.name}.ndjson"
            engine.write_lines(Query("expiring", chosen.values()).only("record"), path)
            lines.append(sorted(path.read_bytes().splitlines()))
            engine.define("rules", chosen.rules.relation())
            engine.materialize("issues", Query("issues"))
            issues.append(engine.rows(Query("issue_counts")))
            found[-1] |= written(
                engine, tmp_path / "out", [(view_of("issue_rows"), Format.PARQUET)], chosen
            )
            lines.append(sorted(map(repr, engine.rows(Query("rejects")))))
            lines.append(engine.rows(Query("balance")))
    athena, embedded = found
    assert issues[0] == issues[1] != []
    assert lines[:3] == lines[3:]
    assert lines[0]
    in_order_of_input = {"expiring", "expiring-annotated"}
    for name in embedded:
        order = sorted if name[1] in in_order_of_input else list
        assert order(map(repr, athena[name])) == order(map(repr, embedded[name])), name
        assert len(athena[name]) > 1, name


def view_of(name: str):
    from healthpipe.stages.view import View

    return View(name)


def test_raw_lines_keep_their_bytes_and_files_their_names_and_days(site):
    day = datetime.date(2026, 1, 5)
    content = (
        b'{"facility_id": "F1", "facility_name": "a\\tb \xc3\xbc"}\r\n'
        b'\n{"facility_id": "\x01"}\n\\N\nno json\n[1]'
    )
    landed = b"bm8ganNvbg==\x01not_json\n" + LINE
    files = [
        site.lines("2026-01-05/\u00fc b.jsonl", content, day),
        site.lines("landed.jsonl", landed, landed=True),
    ]
    expected = [
        ("2026-01-05/\u00fc b.jsonl", content.splitlines()[0], "object", day),
        ("2026-01-05/\u00fc b.jsonl", b'{"facility_id": "\x01"}', "not_json", day),
        ("2026-01-05/\u00fc b.jsonl", b"\\N", "not_json", day),
        ("2026-01-05/\u00fc b.jsonl", b"no json", "not_json", day),
        ("2026-01-05/\u00fc b.jsonl", b"[1]", "array", day),
        ("landed.jsonl", b"bm8ganNvbg==", "not_json", None),
        ("landed.jsonl", LINE.strip(), "object", None),
    ]
    with site.engine() as engine:
        engine.read_lines(files)
        engine.define("judged", Query("judged"))
        assert lines_of(engine) == sorted(expected, key=repr)


def lines_of(engine):
    """The lines with their kinds, from the adapter itself."""
    text = engine._relations.statement("select source, line, kind, folder_date from source")
    types = {"source": "VARCHAR", "line": "VARCHAR", "kind": "VARCHAR", "folder_date": "DATE"}
    from healthpipe.engines.athena.results import values

    found = values(engine._calls.results(engine._run(lambda _: text).id), types)
    return sorted(((a, line.encode(), b, c) for a, line, b, c in found), key=repr)


def test_values_of_rows_are_those_of_duckdb(site):
    files = [site.lines("a.jsonl", LINE * 2 + LINE.replace(b"F1", b"F2"))]
    found = []
    with site.both() as engines:
        for engine in engines:
            judged(engine, files)
            chosen = options()
            states = Query("state_counts", chosen.values())
            found.append([engine.rows(states), list(engine.stream(states))])
            found[-1].append(engine.rows(Query("expiring_soonest", chosen.values())))
            found[-1].append(sorted(map(repr, engine.rows(Query("mended")))))
            found[-1].append(engine.rows(Constants(COLUMNS, (("a", "1"), ("", "2")))))
            found[-1].append(engine.rows(Constants(COLUMNS, ())))
    assert repr(found[0]) == repr(found[1])
    assert found[0][0] == [("CA", 2, 2, Decimal(0), 2)]
    assert found[0][2][0] == ("F1", "Mercy", "CA", datetime.date(2026, 3, 1), 14)
