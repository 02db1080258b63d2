"""What goes wrong on AWS while the Athena engine works: it ends as it should, no query runs on."""

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from healthpipe.engines.athena.glue import drop_tables
from healthpipe.engines.athena.queries import stop_queries
from healthpipe.engines.base import Constants, LinesRefused, Query
from healthpipe.errors import OutOfTime, ServiceFailed, StillRunning, UsageError
from healthpipe.stages.rules import NullWords
from tests.support.athena_root import BUCKET, PLACE, RUN_ID

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.athena_root"]

LINE = b'{"facility_id": "F1", "facility_name": "Mercy", "location": {"state": "CA"}}\n'
JUDGED = Query("judged", NullWords().values())
NAMED = JUDGED.only("facility_id")
SLOW_DOWN = (
    "HIVE_WRITER_CLOSE_ERROR: Please reduce your request rate. (Service: Amazon S3; "
    "Status Code: 503; Error Code: SlowDown)"
)


def begin(engine, site, *files):
    engine.read_lines(files or [site.lines("a.jsonl", LINE * 3)])
    engine.define("judged", JUDGED)


def work(site, file, wait_limit_s=None) -> list[tuple]:
    """How many issues there are, by a query that writes and one that reads what it wrote."""
    with site.engine(wait_limit_s=wait_limit_s) as engine:
        begin(engine, site, file)
        engine.materialize("issues", Constants(("reason",), (("a",), ("b",), ("a",))))
        return engine.rows(Query("issue_counts"))


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.mark.pitfall(36)
def test_an_unload_that_was_slowed_down_is_done_again_in_its_own_folder(site):
    site.aws.faults.fail_query(SLOW_DOWN, containing="UNLOAD", times=2)
    with site.engine() as engine:
        begin(engine, site)
        (uri,) = engine.unload(NAMED, f"{PLACE}/result", "parquet")
        assert uri.startswith(f"{PLACE}/result/3/")
    targets = [text.rpartition(" TO ")[2] for text in site.statements() if "UNLOAD" in text]
    assert len(set(targets)) == 3
    assert list(site.notes.ends.values()) == ["FAILED", "FAILED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("athena", "GetWorkGroup"),
        ("athena", "StartQueryExecution"),
        ("athena", "GetQueryExecution"),
        ("athena", "GetQueryResults"),
        ("glue", "*"),
        ("s3", "*"),
    ],
)
def test_throttled_calls_are_made_again(site, service, action):
    file = site.lines("a.jsonl", LINE)
    site.aws.faults.throttle(service, action, times=1)
    with site.engine() as engine:
        begin(engine, site, file)
        assert engine.rows(NAMED) == [("F1",)]


def test_a_lost_answer_to_the_start_is_one_query(site):
    site.aws.faults.lose_answer("athena", "StartQueryExecution", times=1)
    with site.engine() as engine:
        begin(engine, site)
        engine.rows(NAMED)
    assert len(site.aws.queries()) == len(site.notes.ids) == 1
    assert site.aws.count("athena", "StartQueryExecution") == 2


def test_cancelled_from_another_thread_a_query_is_stopped(site):
    site.aws.faults.hang_query()
    with site.engine() as engine:
        begin(engine, site)
        canceller = threading.Timer(0.5, engine.cancel)
        canceller.start()
        began = time.monotonic()
        with pytest.raises(OutOfTime):
            engine.rows(NAMED)
        assert time.monotonic() - began < 8
    assert site.aws.running_queries() == []
    assert list(site.notes.ends.values()) == ["CANCELLED"]


def test_a_query_that_somebody_else_cancels_fails_and_may_be_tried_again(site):
    site.aws.faults.cancel_query()
    with site.engine() as engine:
        begin(engine, site)
        with pytest.raises(ServiceFailed, match="cancelled by somebody else"):
            engine.rows(NAMED)
    assert len(site.aws.queries()) == 1


@pytest.mark.parametrize(
    ("service", "action", "told"),
    [
        ("athena", "GetWorkGroup", "athena:GetWorkGroup on workgroup primary"),
        ("athena", "StartQueryExecution", "athena:StartQueryExecution on workgroup primary"),
        ("glue", "GetDatabase", "glue:GetDatabase on database healthpipe"),
        ("glue", "CreateTable", "glue:CreateTable on healthpipe.raw_"),
        ("s3", "PutObject", "s3:PutObject on s3://"),
    ],
)
def test_a_refusal_names_action_and_resource(site, service, action, told):
    file = site.lines("a.jsonl", LINE)
    site.aws.faults.deny(service, action)
    with pytest.raises(UsageError, match=told):
        work(site, file)
    assert site.aws.running_queries() == []


def test_expired_credentials_while_a_query_runs_say_so(site):
    site.aws.faults.while_query_runs(lambda: site.aws.faults.expire_credentials("athena"))
    with site.engine() as engine:
        begin(engine, site)
        with pytest.raises(ServiceFailed, match="expired"):
            engine.rows(NAMED)


def test_a_missing_bucket_is_named(site):
    file = site.lines("a.jsonl", LINE)
    site.aws.faults.missing_bucket()
    with pytest.raises(UsageError, match=BUCKET), site.engine() as engine:
        begin(engine, site, file)


def test_files_that_cannot_be_read_are_named_and_what_ingest_wrote_is_not(site):
    good = site.lines("good.jsonl", LINE)
    landed = site.lines("landed.jsonl", LINE, landed=True)
    plain = site.lines("plain.jsonl.gz", LINE)
    cut = site.lines("cut.jsonl.gz", gzip.compress(LINE * 1000)[:-20])
    for broken in (plain, cut):
        with site.engine(f"curate-{broken.source}") as engine:
            begin(engine, site, good, landed, broken)
            with pytest.raises(LinesRefused) as raised:
                engine.materialize("kept", NAMED)
        assert broken.path in raised.value.paths
        assert landed.path not in raised.value.paths


def test_a_file_that_is_gone_is_named(site):
    good, gone = site.lines("good.jsonl", LINE), site.lines("gone.jsonl", LINE)
    site.storage.delete(gone.path)
    with site.engine() as engine:
        begin(engine, site, good, gone)
        with pytest.raises(LinesRefused) as raised:
            engine.rows(NAMED)
    assert gone.path in raised.value.paths


def test_patience_leaves_query_and_tables_and_the_next_call_goes_on_with_them(site):
    may_end = threading.Event()
    site.aws.faults.while_query_runs(lambda: may_end.wait(30), containing="UNLOAD")
    file = site.lines("a.jsonl", LINE * 3)
    with pytest.raises(StillRunning):
        work(site, file, wait_limit_s=0.3)
    assert len(site.tables()) == 2
    assert len(site.aws.running_queries()) == 1
    may_end.set()
    assert work(site, file, wait_limit_s=30) == [("a", 2), ("b", 1)]
    # What was started before was not started again.
    assert len(site.aws.queries()) == len(set(site.statements())) == 2
    assert site.tables() == []


def test_a_run_that_scans_too_much_is_ended(site):
    site.settings = replace(site.settings, max_bytes_scanned=10)
    with site.engine() as engine:
        begin(engine, site)
        with pytest.raises(UsageError, match="--max-bytes-scanned"):
            engine.rows(NAMED)


def test_the_queries_and_tables_of_a_dead_run_are_ended_and_dropped_and_no_others(site):
    site.aws.faults.hang_query()
    engine = site.engine(wait_limit_s=0.1)
    begin(engine, site)
    with pytest.raises(StillRunning):
        engine.rows(NAMED)
    with site.engine("extract-1") as other:
        begin(other, site)
        mine = site.tables()
        ended = stop_queries(
            site.settings, [*site.notes.ids, "8a1d7f6e-0000-0000-0000-000000000000"]
        )
        assert [each.state for each in ended] == ["CANCELLED"]
        assert site.aws.running_queries() == []
        drop_tables(site.settings, "20261121T074824Z-ffffff")
        assert site.tables() == mine
        drop_tables(site.settings, RUN_ID)
        assert site.tables() == []
    drop_tables(replace(site.settings, database="nowhere"), RUN_ID)
    assert stop_queries(site.settings, []) == []


WORK = """
from pathlib import Path
from healthpipe.aws.session import AthenaSettings
from healthpipe.engines import open_engine
from healthpipe.engines.base import EngineContext, LineFile, Query
from healthpipe.storage import open_storage
from healthpipe.cancellation import interrupted_by_signals
from healthpipe.choices import EngineName
from healthpipe.stages.rules import NullWords
import sys
uri, place, scratch = sys.argv[1:]
context = EngineContext(Path(scratch), place, open_storage(place), "run/step-1")
with interrupted_by_signals(), open_engine(EngineName.ATHENA, context, AthenaSettings()) as engine:
    engine.read_lines([LineFile(uri, "a", None, landed=False, size=1)])
    judged = Query("judged", NullWords().values())
    engine.define("judged", judged)
    engine.rows(judged.only("facility_id"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_query_within_fifteen_seconds(site, tmp_path, number):
    site.aws.faults.hang_query()
    uri = site.lines("a.jsonl", LINE).path
    arguments = [sys.executable, "-c", WORK, uri, PLACE, str(tmp_path)]
    with subprocess.Popen(arguments, env=os.environ, stderr=subprocess.PIPE) as process:
        until(site.aws.running_queries, 60)
        process.send_signal(number)
        _, err = process.communicate(timeout=15)
    assert b"Interrupted" in err
    assert site.aws.running_queries() == []
    assert site.tables() == []
