"""Runs know who works on them, who died, and which attempt of a step counts."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from healthpipe.errors import GateFailed, LockHeld, OutOfTime, RunNotFound, ServiceFailed
from healthpipe.publishing.pointer import read_live
from healthpipe.publishing.publish import publish, rollback
from healthpipe.runs.attempts import Attempt, AttemptSuperseded, abandon_unfinished
from healthpipe.runs.cleanup import sweep, sweep_stages
from healthpipe.runs.locks import RootLock, RunLock
from healthpipe.runs.record import AlertRecord, Execution, RunRecord, RunStatus, describe_error
from healthpipe.runs.run import Run, records_of, runs_of
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from healthpipe.workflow.steps.notify import failed_step
from tests.support.published_runs import finished, publish_run

# Holds a root's lock and a run, tells so, and waits to be killed.
HOLDER = """
import sys
from datetime import date
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import RunRecord
from healthpipe.runs.run import Run

root, run_id, command = Root(sys.argv[1]), sys.argv[2], sys.argv[3]
RootLock.of(root).acquire(run_id)
Run(root, run_id).begin(RunRecord(run_id, command, "duckdb", date(2026, 2, 15), {}))
print("ready", flush=True)
sys.stdin.read()
"""
RUN, OTHER = "20260215T050000Z-0000aa", "20260215T060000Z-0000bb"
ALERT = {"about": "failure", "sent": 1, "announced": 0, "suppressed": 0, "problem": None}


@pytest.fixture
def root(tmp_path):
    return Root(str(tmp_path / "data"))


@pytest.fixture
def holder(root):
    """Another process at work on a run; called, it starts one, and returns it."""
    started = []

    def start(run_id=RUN, command="orchestrate"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, root.uri, run_id, command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finished_outputs(root, run_id):
    """The outputs of a run that has its record already."""
    record = Path(root.run(run_id), "run.json")
    kept = record.read_text()
    publication = finished(root, run_id)
    record.write_text(kept)
    return publication


def swept(root):
    """Clear up; the ids of the runs that people are told of."""
    told = []
    sweep(root, lambda run: told.append(run.run_id))
    return told


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def begun(root):
    def begin(run_id=RUN, command="orchestrate"):
        run = Run(root, run_id)
        run.begin(RunRecord(run_id, command, "duckdb", date(2026, 2, 15), {}))
        return run

    return begin


def test_a_run_id_tells_the_start_and_is_the_same_for_the_same_execution():
    start = datetime(2026, 2, 15, 5, 0, 7, tzinfo=UTC)
    execution = Execution(start, "arn:aws:states:x:execution:y")
    again = Execution.from_json(json.loads(json.dumps(execution.to_json())))

    assert execution.run_id.startswith("20260215T050007Z-")
    assert again.run_id == execution.run_id
    assert Execution(start, "another").run_id != execution.run_id


def test_an_execution_start_as_step_functions_writes_it_is_understood():
    start = {"id": "x", "start": "2026-02-15T05:00:07.123Z"}
    assert Execution.from_json(start).run_id.startswith("20260215T050007Z-")


def test_the_record_of_a_run_comes_back_as_it_was_written(begun):
    run = begun()
    run.note(records={"lines": 3})
    record = run.record
    assert RunRecord.from_json(record.to_json()) == record
    assert record.records == {"lines": 3}


def test_what_another_version_has_written_survives_a_change_of_the_record(begun):
    run = begun()
    Attempt.begin(run, "Ingest").succeed({})
    run.note(records={"lines": 3, "later": 1}, alerts=[ALERT | {"later": 1}], later={"a": [1]})
    path = Path(run.uri, "run.json")
    document = json.loads(path.read_text())
    document["steps"][0]["later"] = {"b": 2}
    path.write_text(json.dumps(document))

    Attempt.begin(run, "Curate")
    run.finish(RunStatus.SUCCEEDED)

    rewritten = json.loads(path.read_text())
    assert list(rewritten) == list(document)
    assert rewritten["steps"][0] == document["steps"][0]
    for name in ("records", "alerts", "later"):
        assert rewritten[name] == document[name]
    assert run.record.steps[0].status == "succeeded"
    assert run.record.alerts == [AlertRecord(**ALERT)]
    run.release()


def test_a_record_without_what_only_other_runs_have_can_be_read(begun):
    record = begun().record
    assert (record.audit, record.alerts, record.production, record.records) == (None,) * 4
    assert (record.steps, record.queries, record.good_end) == ([], [], RunStatus.UNCHANGED)


def test_changes_of_the_record_by_many_at_once_are_all_kept(begun):
    run = begun()

    def note(number):
        Run(run.root, run.run_id).note(**{f"fact{number}": number})

    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = {f"fact{number}": number for number in range(8)}
    assert facts.items() <= run.record.details.items()


def test_runs_are_listed_newest_first_and_other_folders_are_none(root, begun):
    for run_id in (RUN, OTHER):
        begun(run_id).release()
    Path(root.runs, "notes").mkdir()
    assert [run.run_id for run in runs_of(root)] == [OTHER, RUN]
    with pytest.raises(RunNotFound):
        _ = Run(root, "20260101T000000Z-ffffff").record


def test_the_lock_names_who_holds_it(root, holder):
    process = holder()
    with pytest.raises(LockHeld) as refusal:
        RootLock.of(root).acquire(OTHER)
    assert refusal.value.exit_code == 5
    assert RUN in str(refusal.value)
    assert f"process {process.pid} " in str(refusal.value)
    assert RootLock.of(root).holder()["holder"] == RUN


def test_the_lock_is_free_as_soon_as_its_holder_is_dead(root, holder):
    kill(holder())
    lock = RootLock.of(root)
    assert lock.holder() is None
    lock.acquire(OTHER)
    assert lock.holder()["holder"] == OTHER
    lock.release(OTHER)
    assert lock.holder() is None


def test_the_lock_is_waited_for_as_long_as_was_asked(root, holder):
    process = holder()
    threading.Timer(0.2, process.kill).start()
    lock = RootLock.of(root)
    lock.acquire(OTHER, wait_s=20)
    lock.release(OTHER)


def test_the_lock_is_given_to_one_run_of_a_process_and_back_by_it_alone(root):
    lock = RootLock.of(root)
    lock.acquire(RUN)
    lock.acquire(RUN)
    with pytest.raises(LockHeld):
        RootLock.of(root).acquire(OTHER)
    lock.release(OTHER)
    assert lock.holder()["holder"] == RUN
    lock.release(RUN)
    assert lock.holder() is None


def test_a_run_that_is_at_work_is_not_dead(root, begun, holder):
    run = begun()
    holder(OTHER)
    assert swept(root) == []
    assert Run(root, OTHER).record.status == "running"
    assert run.record.status == "running"
    with pytest.raises(LockHeld):
        Run(root, OTHER).acquire()
    run.release()


@pytest.mark.pitfall(46)
def test_a_dead_run_is_closed_and_its_leftovers_are_removed(root, holder, tmp_path):
    kill(holder())
    data = tmp_path / "data"
    for left in (
        f"runs/{RUN}/.attempt/Curate-1/spill",
        f"runs/{RUN}/.tmp-1",
        f"curated/{RUN}/judged.parquet",
        f"production/{RUN}/extract.parquet",
        "production/.tmp-2",
    ):
        (data / left).parent.mkdir(parents=True, exist_ok=True)
        (data / left).write_text("x")

    assert swept(root) == [RUN]
    dead = Run(root, RUN).record

    assert (dead.run_id, dead.status, dead.error["code"]) == (RUN, "failed", "died")
    assert Run(root, RUN).record.status == "failed"
    left = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert left == {
        f"runs/{RUN}/run.json",
        "state/lock",
        "state/lock.json",
    }
    assert swept(root) == []


def test_a_dead_run_that_had_published_has_succeeded(root, holder, tmp_path):
    kill(holder())
    pointer = {
        "schema_version": 1,
        "generation": 1,
        "nonce": "0" * 32,
        "run_id": RUN,
        "published_at": "2026-02-15T05:01:00+00:00",
        "as_of": "2026-02-15",
        "options": {},
        "files": [],
    }
    published = tmp_path / "data" / "production" / RUN / "extract.parquet"
    published.parent.mkdir(parents=True)
    published.write_text("x")
    (tmp_path / "data/production/current.json").write_text(json.dumps(pointer))

    assert swept(root) == [], "nobody is to be told"

    dead = Run(root, RUN).record
    assert (dead.status, dead.error) == ("succeeded", None)
    assert dead.finished_at == pointer["published_at"]
    assert dead.details["production"] == pointer
    assert published.is_file()


def test_a_dead_run_that_was_published_and_rolled_back_keeps_its_copies(root, holder):
    publish_run(root, OTHER)
    kill(holder())
    pointer = publish(root, finished_outputs(root, RUN), read_live(root), "nonce").document
    rollback(root, OTHER, "another nonce")

    swept(root)

    dead = Run(root, RUN).record
    assert (dead.status, dead.details["production"]) == ("succeeded", pointer)
    assert rollback(root, RUN, "a third nonce").run_id == RUN


def test_the_record_of_a_dead_run_says_at_which_step_it_died(root, begun):
    run = begun()
    Attempt.begin(run, "Ingest").succeed({})
    Attempt.begin(run, "Curate")
    RunLock.of(run.root, run.run_id)._lock.release()  # as the kernel does for a dead process

    assert swept(root) == [RUN]
    dead = Run(root, RUN).record

    assert dead.finished_at is not None
    assert [(s.name, s.status) for s in Run(root, RUN).record.steps] == [
        ("Ingest", "succeeded"),
        ("Curate", "abandoned"),
    ]
    assert failed_step(Run(root, RUN).record, dead.error) == "Curate"


def test_a_step_that_was_killed_before_the_record_told_of_it_is_entered(begun):
    run = begun()
    Attempt.begin(run, "Ingest").succeed({})
    Attempt.begin(run, "Curate")
    run.change(lambda record: record.step_entries.clear())

    assert abandon_unfinished(run) == ["Curate"]
    told = {step.name: step.status for step in run.record.steps}
    assert told == {"Ingest": "succeeded", "Curate": "abandoned"}
    run.release()


def test_what_a_dead_process_left_half_written_is_gone_once_its_run_goes_on(root, begun):
    run = begun()
    RunLock.of(run.root, run.run_id)._lock.release()  # as the kernel does for a dead process
    left = Path(run.uri, "steps", ".tmp-1")
    left.parent.mkdir()
    left.write_text("half")
    run.acquire()
    assert not left.exists()
    run.release()


def test_a_run_is_held_until_all_of_it_is_written(begun):
    run = begun()
    run.finish(RunStatus.SUCCEEDED)
    assert Path(run.uri, ".alive").exists()
    run.release()
    assert not Path(run.uri, ".alive").exists()


def test_stages_by_hand_clear_up_after_their_like_alone(root, holder):
    kill(holder(RUN, "orchestrate"))
    kill(holder(OTHER, "extract"))
    sweep_stages(root)
    assert Run(root, OTHER).record.status == "failed"
    assert Run(root, RUN).record.status == "running"


def test_a_run_killed_before_its_first_record_leaves_nothing(root, tmp_path):
    run = Run(root, RUN)
    run.acquire()
    RunLock.of(run.root, run.run_id)._lock.release()  # as the kernel does for a dead process
    assert swept(root) == []
    assert list((tmp_path / "data" / "runs").iterdir()) == []


def test_a_step_has_one_document_that_counts_its_attempts(begun):
    run = begun()
    first = Attempt.begin(run, "Curate")
    first.note(segments=["a"])
    first.fail(OSError(28, "No space left on device"))
    second = Attempt.begin(run, "Curate")

    assert (first.number, second.number, second.notes) == (1, 2, {"segments": ["a"]})
    assert [(step.name, step.status) for step in run.record.steps] == [("Curate", "running")]
    second.succeed({"lines": 3})
    assert Attempt.last(run, "Curate").result == {"lines": 3}
    (step,) = run.record.steps
    assert (step.status, step.attempt, step.error) == ("succeeded", 2, None)
    run.release()


def test_an_attempt_that_another_one_follows_can_never_finish(begun):
    run = begun()
    first = Attempt.begin(run, "Publish")
    Attempt.begin(run, "Publish")
    for late in (lambda: first.succeed({}), lambda: first.note(x=1), first.pause):
        with pytest.raises(AttemptSuperseded):
            late()
    assert not Attempt.last(run, "Publish").is_done
    run.release()


def test_an_abandoned_attempt_can_never_finish(begun):
    run = begun()
    Attempt.begin(run, "Ingest").succeed({})
    late = Attempt.begin(run, "Curate")
    assert abandon_unfinished(run) == ["Curate"]
    with pytest.raises(AttemptSuperseded):
        late.succeed({})
    assert [step.status for step in run.record.steps] == ["succeeded", "abandoned"]
    run.release()


def test_a_run_whose_record_could_not_be_closed_is_closed_by_the_sweep(root, begun):
    begun().release()
    assert swept(root) == [RUN]
    dead = Run(root, RUN).record
    assert (dead.run_id, dead.status) == (RUN, "failed")
    assert not Path(root.run(RUN), ".alive").exists()


def test_the_step_that_failed_is_told_from_those_that_were_stopped_for_it(begun):
    run = begun()
    error = GateFailed("too bad", "mend it")
    Attempt.begin(run, "Extract")
    Attempt.begin(run, "FilterExpiring").fail(error)
    Attempt.begin(run, "StateCounts").fail(OutOfTime())
    abandon_unfinished(run)
    assert failed_step(run.record, describe_error(error)) == "FilterExpiring"
    assert failed_step(run.record, {"code": "timeout"}) == "Extract"
    run.release()


def test_people_are_told_of_a_dead_run_before_it_is_closed(root, holder):
    kill(holder())

    def killed(_):
        raise SystemExit

    with pytest.raises(SystemExit):
        sweep(root, killed)
    RunLock.of(root, RUN).release(is_over=False)  # as the kernel does for a dead process
    assert swept(root) == [RUN]


def test_a_damaged_record_stops_nobody_but_who_asks_for_it(root, begun):
    for run_id in (RUN, OTHER):
        run = begun(run_id)
        run.finish(RunStatus.SUCCEEDED)
        run.release()
    Path(root.run(RUN), "run.json").write_text("{")

    assert [record.run_id for record in records_of(root)] == [OTHER]
    sweep_stages(root)
    assert swept(root) == []
    with pytest.raises(ServiceFailed, match=r"run\.json is damaged"):
        _ = Run(root, RUN).record


@pytest.mark.pitfall(40)
def test_of_runs_that_began_in_one_second_the_last_comes_first(root, begun):
    ids = [f"20260215T060000Z-{place:06x}" for place in (7, 1, 9, 3)]
    for run_id in ids:
        begun(run_id).release()
    assert [record.run_id for record in records_of(root)] == ids[::-1]


def test_looking_who_holds_the_lock_keeps_nobody_out(root):
    lock = RootLock.of(root)
    stopped = threading.Event()

    def look():
        while not stopped.is_set():
            RootLock(root).holder()

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(100):
        lock.acquire(str(number))
        lock.release(str(number))
    stopped.set()
    looking.join()


def test_who_may_not_write_may_look_who_holds_the_lock(root):
    lock = RootLock.of(root)
    lock.acquire(RUN)
    Path(root.lock).chmod(0o444)
    assert lock.holder()["holder"] == RUN
    lock.release(RUN)
    assert lock.holder() is None


def test_a_note_of_the_holder_that_cannot_be_written_keeps_nobody_out(root, monkeypatch):
    def full(*_):
        raise ServiceFailed("the disk is full", "free space")

    monkeypatch.setattr(LocalStorage, "write", full)
    RootLock.of(root).acquire(RUN)
    assert RootLock.of(root).holder() == {}
    RootLock.of(root).release(RUN)
