"""Every query on a real Trino, the engine inside Athena: the rows of the oracle and of DuckDB."""

import datetime
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from healthpipe.choices import Format, PublishedStage
from healthpipe.engines.base import Query, SegmentFile, SegmentRows
from healthpipe.stages.catalog import RECORD, STAGES, View, projections_of
from healthpipe.stages.curate import curated_lines, judge_lines, keep_records, open_records
from healthpipe.stages.results import define_relations
from healthpipe.storage.layout import Root
from healthpipe.workflow.stage_run import StageRequest, run_stage
from tests.conftest import EXAMPLES
from tests.support import fuzz
from tests.support.edge_case_json import EDGE_CASE_LINES
from tests.support.oracle import File, Options
from tests.support.oracle_comparison import CASES, read_parquet, stage_options
from tests.support.seeded_records import many_records
from tests.support.strategies import options
from tests.support.trino_comparison import (
    EVERYTHING,
    check_on_trino,
    judge_on_trino,
    landed_files_of,
)
from tests.support.trino_engine import Tables, TrinoEngine

pytestmark = pytest.mark.every_engine("trino")

AS_OF = datetime.date(2025, 8, 31)
DIRTY = {
    0: Options(AS_OF),
    0.03: Options(AS_OF, strict_states=True, include_zero=True, first="earliest", accredited="any"),
    0.15: Options(
        AS_OF,
        include_expired=True,
        moved={"state_missing": "reject", "accreditation_date_invalid": "off"},
        id_pattern="F[0-9]*",
        snapshot="newest",
    ),
}


@pytest.fixture
def engine(rig, session_aws):
    """An engine on the Trino of the local AWS, over its S3 and Glue, which the rig has emptied."""
    return TrinoEngine(session_aws.backend.server, Tables(session_aws.endpoint_url))


def test_every_output_of_the_examples_agrees_with_the_oracle(engine):
    files = [
        File(
            path.relative_to(EXAMPLES).as_posix(),
            path.read_bytes(),
            datetime.date.fromisoformat(path.parent.name),
        )
        for path in EXAMPLES.glob("*/*")
    ]
    check_on_trino(
        engine, files, Options(datetime.date(2026, 2, 15)), judge_on_trino(engine, files)
    )


@pytest.mark.sample
@pytest.mark.parametrize("odd", DIRTY)
def test_every_output_agrees_with_the_oracle_on_many_records(engine, odd):
    files = many_records(seed=7, lines=800, odd=odd)
    check_on_trino(engine, files, DIRTY[odd], judge_on_trino(engine, files))


@pytest.mark.sample
def test_lines_that_parsers_differ_in_are_judged_as_the_oracle_judges_them(engine):
    files = [File("odd.jsonl", b"\n".join(EDGE_CASE_LINES))]
    check_on_trino(engine, files, Options(AS_OF), judge_on_trino(engine, files))


@pytest.mark.sample
def test_hundreds_of_fuzzed_files_agree_with_the_oracle(engine):
    cases = fuzzed_files(400)
    files = [
        File(f"{number:04}.json", fuzz.spread(content, number))
        for number, (content, _) in enumerate(cases)
    ]
    for _, wanted in cases[::150]:
        check_on_trino(engine, files, wanted, judge_on_trino(engine, files, wanted))


def fuzzed_files(number: int) -> list[tuple[bytes, Options]]:
    cases: list[tuple[bytes, Options]] = []

    @seed(7)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fuzz.FILE, options())
    def collect(content: bytes, wanted: Options) -> None:
        cases.append((content, wanted))

    collect()
    return cases


@pytest.mark.sample
def test_fifty_thousand_dirty_records_come_out_as_duckdb_has_them(engine, cli, tmp_path):
    made = ("--n", "50000", "--chunk", "10000", "--snapshot", "2026-01-05", "--defects", "1500")
    assert cli("generate-data", *made, "--outdir", "dirty").code == 0
    wanted = Options(datetime.date(2026, 2, 15))
    judge_lines(engine, landed_files_of(tmp_path / "dirty", "dirty"), stage_options(wanted))
    engine.materialize("judged", Query("judged", stage_options(wanted).values()))
    keep_records(engine, stage_options(wanted), EVERYTHING)

    for case in CASES.values():
        options = stage_options(wanted, **case.shape)
        request = StageRequest(
            STAGES[case.stage],
            Root(f"{tmp_path}/root"),
            [f"{tmp_path}/dirty"],
            options,
            Format.PARQUET,
        )
        result = run_stage(request)
        folder = Path(result.path) if request.stage.is_folder else Path(result.path).parent
        for view, _ in request.outputs:
            define_relations(engine, view, options)
            ours = engine.rows(view.query(options))
            duckdbs = read_parquet(f"{folder}/{view.file_name(Format.PARQUET)}")
            # Only files on this machine have an order of lines.
            assert in_any_order(view, ours) == in_any_order(view, duckdbs), view.name

    engine.define("rules", stage_options(wanted).rules.relation())
    engine.define("issues", Query("issues", stage_options(wanted).values()))
    assert dict(engine.rows(Query("issue_counts"))) == result.computed.counts.issues
    rejects = read_parquet(f"{result.record_folder}/rejects.parquet")
    assert len(rejects) > 300
    assert told(engine.rows(Query("rejects"))) == told(rejects)


def in_any_order(view: View, rows: list[tuple]) -> list[tuple]:
    return sorted(rows) if view.has_records else rows


def told(rejects: list[tuple]) -> Counter:
    """The rejects by file, reasons and bytes, but for bytes that ingest keeps in another file."""
    return Counter(
        (source, tuple(reasons), None if "too_large" in reasons else line)
        for source, reasons, line, _ in rejects
    )


def test_the_three_stages_scan_less_than_a_fifth_of_the_raw_bytes(engine, cli, tmp_path):
    for day, records in (("2026-01-05", 60_000), ("2026-02-02", 40_000)):
        made = ("--n", records, "--chunk", "20000", "--snapshot", day, "--outdir", "scanned")
        assert cli("generate-data", *made).code == 0
    files = landed_files_of(tmp_path / "scanned", "scanned")
    raw = sum(len(file.content) for file in files)
    options = stage_options(Options(datetime.date(2026, 2, 15)))
    judge_lines(engine, files, options)
    table = engine.materialize("judged", curated_lines(options))
    held = tuple(SegmentFile(file.source, file.folder_date) for file in files)
    segment = SegmentRows("", (table,), held)
    assert engine.scanned >= raw

    scanned = {}
    for name in PublishedStage:
        before = engine.scanned
        # A twin has the same rows.
        (view, fmt), *_ = outputs = STAGES[name].outputs(options, None)
        open_records(engine, options, [segment], projections_of(outputs))
        query = view.query(options)
        assert engine.rows(query.only(RECORD) if fmt is Format.NDJSON else query)
        scanned[name] = engine.scanned - before

    assert sum(scanned.values()) < 0.2 * raw
    # Lines are the most of what is kept of records, and only one stage shows them.
    assert scanned["extract"] + scanned["state-counts"] < 0.08 * raw
