"""What nobody needs any more goes; what the pointer, a rollback or a run at work needs stays."""

import datetime
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthpipe.errors import NewerDocument, ServiceFailed
from healthpipe.publishing.pointer import history
from healthpipe.publishing.prune import plan_prune, prune_published, remove_planned
from healthpipe.publishing.publish import rollback
from healthpipe.stages import segment_writer, segments
from healthpipe.storage import local
from healthpipe.storage.layout import open_root
from tests.conftest import tree
from tests.support.published_runs import below, finished, publish_run, require_whole, run_id, write

TODAY = datetime.date(2026, 3, 31)
DAYS = 30
LAST_KEPT, FIRST_GONE = "2026-03-01", "2026-02-28"


@pytest.fixture
def root(tmp_path):
    return open_root(str(tmp_path / "data"))


def plan(root, keep=7, days=DAYS):
    return plan_prune(root, keep=keep, days=days, today=TODAY)


def prune(root, keep=7, days=DAYS):
    return {
        (each.kind.value, Path(each.uri).name)
        for each in remove_planned(root, plan(root, keep, days))
    }


def test_an_empty_root_has_nothing_to_remove(root):
    assert plan(root) == []
    assert not Path(root.uri).exists()


def test_the_newest_published_runs_stay_and_their_folders(root):
    runs = [run_id("2025-01-01", number) for number in range(5)]
    for run in runs:
        publish_run(root, run)

    assert prune(root, keep=2) == {
        (kind, run) for kind in ("production", "run") for run in runs[:3]
    }
    assert below(root.production) == [*runs[3:], "current.json"]
    assert below(root.runs) == runs[3:]
    assert prune(root, keep=2) == set()
    require_whole(root)
    assert rollback(root, None, "n").run_id == runs[3]


def test_a_run_that_was_rolled_back_to_counts_as_new(root):
    runs = [run_id(LAST_KEPT, number) for number in range(4)]
    for run in runs:
        publish_run(root, run)
    rollback(root, runs[0], "n")

    assert prune(root, keep=2) == {("production", runs[1]), ("production", runs[2])}
    require_whole(root)


def test_the_live_run_stays_even_when_the_history_is_gone(root):
    live, other = run_id(FIRST_GONE, 1), run_id(FIRST_GONE, 2)
    for run in (other, live):
        publish_run(root, run)
    shutil.rmtree(root.history)

    assert prune(root, keep=1) == {("leftover", other), ("run", other)}
    require_whole(root)


def test_runs_go_by_the_day_of_their_id(root):
    for day in (FIRST_GONE, LAST_KEPT):
        finished(root, run_id(day))

    assert prune(root) == {("run", run_id(FIRST_GONE))}
    assert below(root.runs) == [run_id(LAST_KEPT)]


@pytest.mark.parametrize("status", ["succeeded", "failed", "interrupted", "running"])
def test_a_run_at_work_stays_however_old(root, status):
    finished(root, run_id(FIRST_GONE), status)

    assert bool(prune(root)) == (status != "running")


@pytest.mark.parametrize("record", [None, "", "[]", "{}"])
def test_an_old_run_without_a_sound_record_goes(root, record):
    write(f"{root.run(run_id(FIRST_GONE))}/inputs.json", "{}")
    if record is not None:
        write(f"{root.run(run_id(FIRST_GONE))}/run.json", record)

    assert prune(root) == {("run", run_id(FIRST_GONE))}


def test_an_old_run_of_a_newer_healthpipe_stays(root):
    record = write(f"{root.run(run_id(FIRST_GONE))}/run.json", '{"schema_version": 9}')

    with pytest.raises(NewerDocument):
        prune(root)
    assert record.exists()


def test_what_is_not_ours_stays(root):
    for name in ("runs/notes/x", "production/backup/x", "runs/20260230T000000Z-abcdef/x", "raw/a"):
        write(f"{root.uri}/{name}", "x")
    before = tree(Path(root.uri))

    assert prune(root, days=0) == set()
    assert tree(Path(root.uri)) == before


def test_copies_that_were_never_published_go_when_they_are_old(root):
    for day in (FIRST_GONE, LAST_KEPT):
        write(f"{root.published(run_id(day))}/extract.parquet", "half")

    assert prune(root) == {("leftover", run_id(FIRST_GONE))}


def test_while_a_copy_of_the_pointer_is_damaged_no_copies_pass_for_unpublished(root):
    runs = [run_id(FIRST_GONE, number) for number in range(3)]
    for run in runs:
        publish_run(root, run)
    write(f"{root.history}/0000000002.json", "{")

    assert prune(root, keep=1) == {("production", runs[0]), ("run", runs[0]), ("run", runs[1])}
    assert below(root.production) == [runs[1], runs[2], "current.json"]


def test_the_end_of_a_run_removes_published_copies_only(root):
    runs = [run_id(FIRST_GONE, number) for number in range(4)]
    for run in runs:
        publish_run(root, run)

    removed = prune_published(root, 3)

    assert [(each.uri, each.bytes) for each in removed] == [
        (root.published(runs[0]), len(f"extract of {runs[0]}") + len(f"state-counts of {runs[0]}"))
    ]
    assert below(root.runs) == runs
    assert prune_published(root, 3) == []


def test_what_became_live_since_the_plan_stays(root):
    runs = [run_id(FIRST_GONE, number) for number in range(3)]
    for run in runs:
        publish_run(root, run)
    planned = plan(root, keep=1)
    rollback(root, runs[0], "n")

    remove_planned(root, planned)

    assert below(root.production) == [runs[0], runs[2], "current.json"]
    assert below(root.runs) == [runs[0], runs[2]]
    require_whole(root)


@pytest.fixture
def orchestrate(cli, examples, tmp_path):
    def run(*sources):
        outcome = cli(
            "orchestrate",
            *(sources or [examples]),
            "--root",
            tmp_path / "data",
            "--force",
            "--json",
        )
        assert outcome.code == 0
        return outcome.document["run_id"]

    return run


def kinds(root):
    return [each.kind.value for each in plan(root)]


def test_a_segment_stays_while_a_run_can_use_it(orchestrate, root):
    first = orchestrate()

    assert kinds(root) == []
    orchestrate()
    assert below(root.curated) == [first]


@pytest.mark.parametrize("change", ["gone", "changed", "rules"])
def test_a_segment_goes_once_no_run_can_use_it(orchestrate, root, examples, monkeypatch, change):
    orchestrate()
    if change == "gone":
        (examples / "2026-02-02" / "changes.jsonl").unlink()
    elif change == "changed":
        write(examples / "2026-02-02" / "changes.jsonl", '{"facility_id": "ZZ-1"}\n')
    else:
        monkeypatch.setattr(segments, "fingerprint", lambda *_, **__: "another")

    (removal,) = plan(root)
    assert (removal.kind.value, below(root.curated)) == ("segment", [Path(removal.uri).name])
    assert removal.bytes == sum(path.stat().st_size for path in Path(removal.uri).iterdir())
    remove_planned(root, [removal])
    assert below(root.curated) == []
    orchestrate()
    require_whole(root)


def test_a_file_named_relative_to_another_folder_is_not_taken_for_gone(
    orchestrate, root, tmp_path, monkeypatch
):
    orchestrate("examples")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert kinds(root) == []


def test_a_segment_of_standard_input_goes_with_the_run_that_kept_it(cli, root):
    cli("orchestrate", "-", "--root", root.uri, "--quiet", stdin=b'{"facility_id": "1"}\n')
    assert kinds(root) == []

    (run,) = below(root.runs)
    shutil.rmtree(root.run(run))
    assert kinds(root) == ["segment"]


@pytest.mark.parametrize("description", ["", "{", "{}"])
def test_a_segment_with_a_damaged_description_is_not_used_and_goes(orchestrate, root, description):
    first = orchestrate()
    write(f"{root.curated}/{first}/segment.json", description)

    second = orchestrate()

    assert prune(root) == {("segment", first)}
    assert below(root.curated) == [second]


@pytest.fixture
def merged(orchestrate, root, examples, monkeypatch):
    """Two segments of runs, and the one that a third run has made of them."""
    monkeypatch.setattr(segment_writer, "MAX_SEGMENTS", 1)
    first = orchestrate()
    write(examples / "2026-02-02" / "more.jsonl", '{"facility_id": "ZZ-1"}\n')
    second = orchestrate()
    return first, second


def age(root, name, seconds):
    path = Path(root.curated, name, "segment.json")
    written = path.stat().st_mtime - seconds
    os.utime(path, (written, written))


def test_segments_stay_for_a_day_after_they_were_merged(root, merged):
    first, second = merged
    age(root, f"{second}-merged", 86_000)
    assert segments_removed(root, keep=1) == set()

    age(root, f"{second}-merged", 1_000)
    assert segments_removed(root, keep=1) == {first, second}


def test_segments_stay_that_a_run_reads_which_may_be_rolled_back_to(root, merged):
    _, second = merged
    age(root, f"{second}-merged", 90_000)

    assert segments_removed(root, keep=2) == {second}


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_segments_stay_that_a_run_reads_which_may_go_on(root, merged, status):
    first, second = merged
    age(root, f"{second}-merged", 90_000)
    record = Path(root.run(first), "run.json")
    record.chmod(0o600)
    record.write_text(record.read_text().replace('"succeeded"', f'"{status}"', 1))

    assert segments_removed(root, keep=1) == {second}


def segments_removed(root, keep):
    """The names of the segments that would be removed."""
    found = plan(root, keep=keep)
    return {Path(each.uri).name for each in found if each.kind.value == "segment"}


@pytest.mark.parametrize("status", ["running", "failed"])
@pytest.mark.parametrize("day", [FIRST_GONE, LAST_KEPT])
def test_an_unfinished_segment_goes_when_it_is_old_and_nobody_is_at_it(root, day, status):
    write(f"{root.curated}/{run_id(day)}/judged.parquet", "half")
    finished(root, run_id(day), status)

    expected = {("leftover", run_id(day)), ("run", run_id(day))}
    assert prune(root) == (expected if (day, status) == (FIRST_GONE, "failed") else set())


class Killed(BaseException):
    pass


@pytest.mark.parametrize("folder", ["production", "runs", "curated"])
def test_killed_while_it_removes_nothing_half_is_found_and_the_next_goes_on(
    orchestrate, root, examples, monkeypatch, folder
):
    runs = [orchestrate() for _ in range(3)]
    write(examples / "2026-02-02" / "changes.jsonl", '{"facility_id": "ZZ-1"}\n')
    far = datetime.date(2999, 1, 1)
    planned = plan_prune(root, keep=1, days=DAYS, today=far)
    assert {Path(each.uri).parent.name for each in planned} == {"production", "runs", "curated"}

    def kill(path):
        """Remove one file only."""
        if Path(path).parent.name == folder:
            next(p for p in Path(path).rglob("*") if p.is_file()).unlink()
            raise Killed
        return real(path)

    real = shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(local.shutil, "rmtree", kill)
        with pytest.raises(Killed):
            remove_planned(root, planned)

    require_whole(root)
    assert any(name.startswith(".tmp-") for name in below(f"{root.uri}/{folder}"))
    remove_planned(root, plan_prune(root, keep=1, days=DAYS, today=far))
    assert below(root.production) == [runs[2], "current.json"]
    assert (below(root.runs), below(root.curated)) == ([runs[2]], [])
    orchestrate()
    require_whole(root)


def test_what_is_left_of_a_removed_segment_is_not_read_and_goes(orchestrate, root):
    first = orchestrate()
    withdrawn = Path(root.curated, first).rename(Path(root.curated, ".tmp-1234"))
    (withdrawn / "judged.parquet").unlink()
    write(withdrawn / ".tmp-5678", "half")

    far = datetime.date(2999, 1, 1)
    planned = plan_prune(root, keep=7, days=0, today=far)
    assert [each.uri for each in planned if ".tmp-" in each.uri] == [str(withdrawn)]

    orchestrate()

    require_whole(root)
    assert not withdrawn.exists(), "the start of a run clears up, too"


def test_a_folder_that_the_pointer_names_stays_whoever_made_it(root):
    old, other, live = (run_id(FIRST_GONE, number) for number in range(3))
    for run in (old, live):
        publish_run(root, run)
    document = json.loads(Path(root.pointer).read_text())
    for file, run in zip(document["files"], (old, other), strict=True):
        write(f"{root.published(run)}/here", (Path(root.uri) / file["path"]).read_text())
        file["path"] = f"production/{run}/here"
    write(root.pointer, json.dumps(document))

    planned = {each.uri for each in plan(root, keep=1)}
    assert planned == {root.run(old)}
    prune(root, keep=1)
    require_whole(root)


def test_files_that_a_kill_left_half_written_go_when_they_are_old(root):
    publish_run(root, run_id(LAST_KEPT))
    half = write(f"{root.published(run_id(LAST_KEPT))}/.tmp-1234", "half")
    write(f"{root.uri}/raw/.tmp-1234", "not ours to remove")
    written = datetime.datetime.fromtimestamp(half.stat().st_mtime, datetime.UTC).date()

    for days, fragments in ((DAYS, 0), (DAYS + 1, 1)):
        today = written + datetime.timedelta(days=days)
        planned = plan_prune(root, keep=7, days=DAYS, today=today)
        assert [each.kind.value for each in planned].count("fragment") == fragments

    remove_planned(root, planned)
    assert not half.exists()
    assert Path(root.uri, "raw", ".tmp-1234").exists()
    require_whole(root)


def test_what_cannot_be_removed_is_said(root, monkeypatch):
    finished(root, run_id(FIRST_GONE))

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ServiceFailed, match="cannot remove"):
        prune(root)


RUNS = [run_id(day, n) for n, day in enumerate(["2026-01-01", FIRST_GONE, LAST_KEPT, "2026-03-30"])]
STATUS = st.sampled_from(["succeeded", "failed", "running"])


@settings(max_examples=40, deadline=None)
@given(
    live_runs=st.lists(st.sampled_from(RUNS), max_size=8),
    others=st.dictionaries(st.sampled_from([run[:-1] + "f" for run in RUNS]), STATUS),
    half_published=st.sets(st.sampled_from([run[:-1] + "e" for run in RUNS])),
    keep=st.integers(1, 5),
    lost_record=st.booleans(),
)
def test_whatever_happened_what_is_needed_stays_and_the_rest_goes(
    live_runs, others, half_published, keep, lost_record
):
    with tempfile.TemporaryDirectory() as folder:
        root, was_live = open_root(f"{folder}/data"), []
        for turn, run in enumerate(live_runs):
            if was_live and was_live[-1] == run:
                continue
            if run in was_live:
                rollback(root, run, str(turn))
            else:
                publish_run(root, run)
            was_live.append(run)
        for run, status in others.items():
            finished(root, run, status)
        for run in half_published:
            write(f"{root.published(run)}/extract.parquet", "half")
        if was_live and lost_record:
            Path(root.history, f"{len(was_live):010}.json").unlink()
        newest = list(dict.fromkeys(reversed(was_live)))[:keep]

        prune(root, keep=keep)

        old = FIRST_GONE.replace("-", "")
        stays = [r for r in half_published if r[:8] > old]
        assert [n for n in below(root.production) if n != "current.json"] == sorted(newest + stays)
        kept = [r for r in {*was_live, *others} if r[:8] > old or others.get(r) == "running"]
        assert below(root.runs) == sorted({*kept, *newest})
        if was_live:
            require_whole(root)
            assert len(history(root)) == len(was_live)
        assert plan(root, keep) == []
        for run in newest[1:]:
            assert rollback(root, run, f"back to {run}").run_id == run
