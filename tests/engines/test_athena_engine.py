"""The Athena engine over a local AWS whose Athena runs its queries: the rows are DuckDB's."""

import datetime
import json
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest

from healthpipe.aws.session import AthenaSettings
from healthpipe.choices import Format
from healthpipe.engines.athena.published_tables import LiveRun, lagging_tables, update_tables
from healthpipe.engines.base import Constants, Query, SegmentFile, SegmentRows
from healthpipe.engines.sql import column_names
from healthpipe.errors import UsageError
from healthpipe.stages.catalog import STAGES, View
from healthpipe.stages.curate import (
    Projection,
    curated_lines,
    judge_lines,
    keep_records,
    open_records,
)
from healthpipe.stages.options import RawOptions
from healthpipe.stages.results import define_relations
from healthpipe.storage.layout import Root
from tests.support.athena_root import BUCKET, PLACE, ROOT, RUN_ID
from tests.support.oracle import Options
from tests.support.oracle_comparison import raw_options
from tests.support.seeded_records import many_records

pytest_plugins = ["tests.support.athena_root"]

AS_OF = datetime.date(2026, 2, 15)
LINE = (
    b'{"facility_id": "F1", "facility_name": "Mercy", "location": {"state": "CA"},'
    b' "accreditations": [{"valid_until": "2026-03-01"}, {"valid_until": "n/a"}]}\n'
)
COLUMNS = ("name", "number")
SHOWN = {"source", "line", "snapshot_date", "broken"}


def options(**shape):
    return RawOptions.from_json(raw_options(Options(as_of=AS_OF)) | shape).checked(
        AS_OF.isoformat()
    )


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
    judge_lines(engine, files, options())
    keep_records(engine, options(**shape), set(Projection))


def rows_of(path, fmt: Format) -> list:
    if fmt is Format.PARQUET:
        with duckdb.connect() as connection:
            described = connection.execute(f"describe from read_parquet('{path}')").fetchall()
            found = connection.execute(f"from read_parquet('{path}')").fetchall()
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
            engine.materialize("issues", Query("issues", chosen.values()))
            issues.append(engine.rows(Query("issue_counts")))
            found[-1] |= written(
                engine, tmp_path / "out", [(View("issue_rows"), Format.PARQUET)], chosen
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


@pytest.mark.pitfall(10)
def test_raw_lines_keep_their_bytes_and_files_their_names_and_days(site):
    name, day = "2026-01-05/\u00fc b.jsonl", datetime.date(2026, 1, 5)
    content = (
        b'{"facility_id": "F1", "facility_name": "a\\tb \xc3\xbc"}\r\n'
        b'\n{"facility_id": "\x01"}\n\\N\nno json\n[1]'
    )
    landed = b"bm8ganNvbg==\x01not_json\n" + LINE
    files = [
        site.lines(name, content, day),
        site.lines("landed.jsonl", landed, landed=True),
    ]
    first, *_ = content.decode().splitlines()
    expected = [
        (name, day, "state_missing", first),
        (name, day, "not_json", '{"facility_id": "\x01"}'),
        (name, day, "not_json", "\\N"),
        (name, day, "not_json", "no json"),
        (name, day, "not_object", "[1]"),
        ("landed.jsonl", None, "not_json", "bm8ganNvbg=="),
        ("landed.jsonl", None, "accreditation_date_missing", LINE.decode().strip()),
    ]
    with site.engine() as engine:
        judge_lines(engine, files, options())
        query = Query("judged", options().values())
        found = engine.rows(query.without(set(column_names("judged")) - SHOWN))
        assert sorted(found, key=repr) == sorted(expected, key=repr)


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


@pytest.mark.parametrize("fmt", [Format.CSV, Format.JSON])
def test_texts_are_byte_for_byte_those_of_duckdb(site, tmp_path, fmt):
    name = '-1 "a, b"'
    odd = LINE.replace(b"Mercy", json.dumps(name)[1:-1].encode()).replace(b"F1", b"=F0")
    files = [site.lines("b.jsonl", LINE + odd), site.lines("a.jsonl", LINE.replace(b"F1", b"E"))]
    chosen = options()
    with site.both() as engines:
        for engine in engines:
            judged(engine, files)
            for query in ("extract", "state_counts", "expiring_soonest"):
                relation = Query(query, chosen.values())
                engine.write(relation, tmp_path / f"{engine.name}-{query}", fmt)
                engine.write(
                    relation.spreadsheet_safe(), tmp_path / f"{engine.name}-{query}-safe", fmt
                )
            relation = Query("extract", chosen.values() | {"soonest_first": True}, limit=2)
            engine.write(relation, tmp_path / f"{engine.name}-top", fmt)
    written = sorted(tmp_path.glob("athena-*"))
    assert len(written) == 7
    for path in written:
        assert path.read_bytes() == (tmp_path / path.name.replace("athena", "duckdb")).read_bytes()
    assert b"'=F0" in (tmp_path / "athena-extract-safe").read_bytes()


@pytest.mark.parametrize("fmt", list(Format))
def test_no_rows_are_a_result_with_its_columns(site, tmp_path, fmt):
    files = [site.lines("a.jsonl", b"no json\n")]
    chosen = options()
    found = []
    with site.both() as engines:
        for engine in engines:
            judged(engine, files)
            path = tmp_path / engine.name.upper()
            assert engine.write(Query("extract", chosen.values()), path, fmt) == 0
            found.append(rows_of(path, fmt))
            path.unlink()
            assert engine.write_lines(Query("expiring").only("record"), path) == 0
            assert path.read_bytes() == b""
            assert list(engine.stream(Query("extract", chosen.values()))) == []
    assert found[0] == found[1]


@pytest.mark.parametrize("fmt", [Format.PARQUET, Format.NDJSON])
def test_no_rows_are_unloaded_to_no_file(site, fmt):
    with site.engine() as engine:
        judged(engine, [site.lines("a.jsonl", b"no json\n")])
        assert engine.unload(Query("expiring").only("record"), f"{PLACE}/x", fmt) == []


def test_no_files_at_all_are_no_lines(site):
    with site.engine() as engine:
        judged(engine, [])
        assert engine.rows(Query("balance")) == [(0, 0, 0, 0, 0)]


def test_results_are_unloaded_where_the_caller_wants_them(site):
    files = [site.lines("a.jsonl", b"".join(LINE.replace(b"F1", b"F%d" % n) for n in range(30)))]
    with site.engine() as engine:
        judged(engine, files)
        parts = engine.unload(Query("extract", options().values()), f"{PLACE}/e", Format.PARQUET)
        lines = engine.unload(Query("expiring").only("record"), f"{PLACE}/l", Format.NDJSON)
    assert sorted([*parts, *lines]) == site.files()
    with duckdb.connect() as connection:
        paths = [str(path) for path in site.storage.local_copies(parts)]
        found = connection.execute("from read_parquet($1)", [paths]).fetchall()
    assert sorted(found)[:2] == [
        ("F0", "Mercy", None, 0, datetime.date(2026, 3, 1)),
        ("F1", "Mercy", None, 0, datetime.date(2026, 3, 1)),
    ]
    assert sorted(b"".join(site.storage.read(uri)[0] for uri in lines).splitlines()) == sorted(
        LINE.replace(b"F1", b"F%d" % n).strip() for n in range(30)
    )


def test_segments_that_either_engine_wrote_are_read_by_both(site, tmp_path):
    files = [[site.lines("a.jsonl", LINE)], [site.lines("b.jsonl", LINE.replace(b"F1", b"F2"))]]
    chosen = options()
    with site.both() as (athena, embedded):
        segments = []
        for engine, held in zip((athena, embedded), files, strict=True):
            segments.append(_segment(site, engine, held, tmp_path))
        for engine in (athena, embedded):
            open_records(engine, chosen, segments, set(Projection) - {Projection.DETAILS})
            assert [row[0] for row in engine.rows(Query("extract", chosen.values()))] == [
                "F1",
                "F2",
            ]
            assert engine.rows(Query("balance")) == [(2, 2, 0, 2, 0)]


def test_of_a_segment_the_files_that_are_wanted_are_read_under_the_names_they_have_now(
    site, tmp_path
):
    """A name depends on SOURCE, and so does the date of the folder that a file lies in."""
    dated = LINE.replace(b"F1", b"F3").replace(b"{", b'{"snapshot_date": "2026-01-02", ', 1)
    lines = [LINE, LINE.replace(b"F1", b"F2"), dated]
    files = [site.lines(f"{number}.jsonl", line) for number, line in enumerate(lines)]
    day = datetime.date(2026, 2, 3)
    with site.both() as (athena, embedded):
        held = _segment(site, athena, files, tmp_path)
        named = SegmentFile("named/now.jsonl", day)
        segment = replace(held, files=(None, named, SegmentFile("dated.jsonl", day)))
        for engine in (athena, embedded):
            open_records(engine, options(), [segment], {Projection.ALL_LINES})
            query = Query("facilities").without(("address", "city", "zip"))
            assert [row[-2:] for row in engine.rows(query)] == [
                (day, "named/now.jsonl"),
                (datetime.date(2026, 1, 2), "dated.jsonl"),
            ]


def _segment(site, engine, files, folder):
    path = folder / "rows.parquet"
    judge_lines(engine, files, options())
    engine.write(curated_lines(options()), path, Format.PARQUET)
    uri = site.put(f"curated/{engine.name}/rows.parquet", path.read_bytes())
    held = tuple(SegmentFile(file.source, file.folder_date) for file in files)
    return SegmentRows(uri.rpartition("/")[0], (uri,), held)


def test_nothing_is_left_of_a_closed_engine(site):
    with site.engine() as engine:
        judged(engine, [site.lines("a.jsonl", LINE)])
        made = site.tables()
        assert site.files()
    assert {name.split("_")[0] for name in made} == {"raw", "facilities"}
    assert all(f"_{RUN_ID.lower().replace('-', '_')}_" in name for name in made)
    assert site.tables() == []
    assert site.files() == []


def workgroup(site, **configuration):
    site.aws.client("athena").create_work_group(Name="team", Configuration=configuration)
    site.settings = replace(site.settings, workgroup="team")


def results_of(site) -> str | None:
    with site.engine() as engine:
        assert engine.rows(Constants(COLUMNS, (("a", "1"),))) == [("a", "1")]
    return site.aws.queries()[-1].get("ResultConfiguration", {}).get("OutputLocation")


def test_results_lie_in_the_run_unless_somebody_says_otherwise(site):
    assert results_of(site).startswith(f"{PLACE}/curate-1/athena/")


def test_results_lie_where_the_user_says(site):
    site.settings = AthenaSettings(output=f"s3://{BUCKET}/own")
    assert results_of(site).startswith(f"s3://{BUCKET}/own/")


def test_a_workgroup_says_where_results_lie_and_the_user_may_say_better(site):
    location = {"OutputLocation": f"s3://{BUCKET}/team/"}
    workgroup(site, ResultConfiguration=location, EnforceWorkGroupConfiguration=False)
    assert results_of(site).startswith(f"s3://{BUCKET}/team/")
    site.settings = replace(site.settings, output=f"s3://{BUCKET}/own/")
    assert results_of(replace_attempt(site)).startswith(f"s3://{BUCKET}/own/")


def replace_attempt(site):
    """The same site at another attempt, whose queries are new."""
    engine = site.engine
    site.engine = lambda: engine("curate-2")
    return site


def test_an_enforced_workgroup_overrides_everybody(site):
    location = {"OutputLocation": f"s3://{BUCKET}/team/"}
    workgroup(site, ResultConfiguration=location, EnforceWorkGroupConfiguration=True)
    site.settings = replace(site.settings, output=f"s3://{BUCKET}/own/")
    assert results_of(site).startswith(f"s3://{BUCKET}/team/")


def test_managed_results_need_no_place(site):
    workgroup(
        site,
        ManagedQueryResultsConfiguration={"Enabled": True},
        EnforceWorkGroupConfiguration=True,
    )
    site.settings = replace(site.settings, output=f"s3://{BUCKET}/own/")
    assert results_of(site) is None


def test_an_enforced_workgroup_without_a_place_is_refused(site):
    workgroup(site, EnforceWorkGroupConfiguration=True)
    with pytest.raises(UsageError, match="team"):
        site.engine()


def published(site, generation: int) -> dict:
    """The pointer's document, and the files that it names."""
    run = f"20261121T07482{generation}Z-abc123"
    ids = [f"F{number}" for number in range(generation)]
    with duckdb.connect() as connection:
        path = site.folder / f"{generation}.parquet"
        connection.execute(
            "copy (select unnest($1::varchar[]) as facility_id, 'Mercy' as facility_name, 7::bigint"
            " as employee_count, 0::int as number_of_offered_services, date '2026-03-01' as"
            " expiry_date_of_first_accreditation) to $2 (format parquet)",
            [ids, str(path)],
        )
    contents = {
        ("extract", "extract.parquet"): path.read_bytes(),
        ("filter-expiring", "expiring.ndjson"): LINE * generation,
        ("state-counts", "state-counts.csv"): (
            b"state,accredited_facilities,facilities,employees,accreditations\r\n"
            + b'CA,1,2,7,1\r\n"A ""B"", \\C",0,1,0,0\r\n'
        ),
    }
    files = []
    for (stage, name), content in contents.items():
        site.put(f"production/{run}/{name}", content)
        fmt = name.rpartition(".")[2]
        files.append({"path": f"production/{run}/{name}", "stage": stage, "format": fmt})
    return LiveRun.from_json({"generation": generation, "run_id": run, "files": files})


def test_the_published_tables_follow_the_pointer(site):
    root, settings = Root(ROOT), site.settings
    first, second = published(site, 1), published(site, 2)
    assert lagging_tables(settings, root, first) == ["extract", "expiring", "state_counts"]
    for run in (first, second):
        update_tables(settings, root, run)
        assert lagging_tables(settings, root, run) == []
        with site.engine(f"see-{run.generation}") as engine:
            found = {name: asked(engine, name) for name in ("extract", "expiring")}
            if site.sql == "trino":  # DuckDB's Athena reads no table of CSV
                found["state_counts"] = asked(engine, "state_counts")
        number = run.generation
        assert len(found["extract"]) == len(found["expiring"]) == number
        assert found["extract"][-1] == ["F0", "Mercy", "7", "0", "2026-03-01"]
        assert found["expiring"][0] == [LINE.decode().strip()]
        counts = [["CA", "1", "2", "7", "1"], ['A "B", \\C', "0", "1", "0", "0"]]
        assert found.get("state_counts", counts) == counts
    assert lagging_tables(settings, root, first) == ["extract", "expiring", "state_counts"]
    update_tables(settings, root, first)
    assert lagging_tables(settings, root, first) == []


def asked(engine, table: str) -> list[list[str]]:
    """The rows of a table as texts."""
    ended = engine._queries.run(lambda _: f'select * from "healthpipe"."{table}" order by 1 desc')
    pages = engine._queries.result_pages(ended.id)
    rows = [row for page in pages for row in page["ResultSet"]["Rows"]][1:]
    return sorted([[datum["VarCharValue"] for datum in row["Data"]] for row in rows], reverse=True)


def test_a_table_of_somebody_else_is_left_alone(site):
    run = published(site, 1)
    update_tables(site.settings, Root(f"s3://{BUCKET}/other"), run)
    with pytest.raises(UsageError, match=r"healthpipe\.extract"):
        update_tables(site.settings, Root(ROOT), run)
    assert lagging_tables(site.settings, Root(ROOT), run) == ["extract", "expiring", "state_counts"]
