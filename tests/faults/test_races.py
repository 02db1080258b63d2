"""Two at once: of orchestrates one publishes, and of publishers the one that came first."""

import json
import signal

import pytest

from tests.faults.kills import RUN
from tests.faults.site import require_recovered, require_whole

pytestmark = pytest.mark.slow
HELD = ("hold_up", {"step": "Audit"})


@pytest.fixture
def site(bench):
    site = bench.copy(bench.fresh)
    yield site
    site.remove()


def at_work(bench, site):
    """A run that holds the lock and hangs at Audit."""
    process = bench.launcher.start(site.folder, *RUN, before=[HELD])
    while len(list(site.root.glob("runs/*/steps/Audit.json"))) < 2:
        assert process.wait(0.02) is None
    return process


def test_the_second_of_two_at_once_exits_5_and_names_the_first(bench, site):
    first = at_work(bench, site)
    (holder,) = {r["run_id"] for r in site.records if r["status"] == "running"}

    second = bench.launcher.run(site.folder, *RUN)

    assert second.code == 5
    (line,) = second.err.splitlines()
    assert f"{holder} is at work" in line
    assert f"process {first.pid} " in line
    assert len(site.records) == 2  # it has left no run of its own
    first.send(signal.SIGKILL)
    first.end()
    require_whole(site, (1,))
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


@pytest.mark.pitfall(39)
def test_of_two_started_together_one_publishes(bench, site):
    both = [bench.launcher.start(site.folder, *RUN) for _ in range(2)]
    codes = sorted(process.end().code for process in both)
    assert codes in ([0, 5], [0, 0])  # the second may have come when the first was done
    assert site.pointer["generation"] == 2
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


def test_one_that_waits_for_the_lock_finds_nothing_to_do(bench, site):
    first = bench.launcher.start(site.folder, *RUN)
    while len(list(site.root.glob("runs/*/run.json"))) < 2:
        assert first.wait(0.02) is None
    second = bench.launcher.run(site.folder, *RUN, "--lock-wait", "60")
    assert (first.end().code, second.code) == (0, 0)
    assert "nothing to do" in second.err
    assert site.pointer["generation"] == 2
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


def test_one_that_waits_takes_over_from_one_that_dies(bench, site):
    first = at_work(bench, site)
    second = bench.launcher.start(site.folder, *RUN, "--lock-wait", "60")
    first.send(signal.SIGKILL)
    first.end()
    require_recovered(site, second.end(), bench.expected)


@pytest.mark.parametrize("moment", ["Publish", "flip"])
def test_what_somebody_else_published_meanwhile_stays(bench, site, moment):
    before = [("publish_meanwhile", {"moment": moment})]

    ended = bench.launcher.run(site.folder, *RUN, before=before)

    assert ended.code == 6, ended.err
    assert ended.err.splitlines()[-1].startswith("healthpipe: somebody else published while")
    theirs = site.pointer
    assert (theirs["generation"], theirs["nonce"]) == (2, "theirs")
    require_whole(site, (2,))
    names = [path.name for path in site.root.glob("production/*Z-*")]
    assert names == [theirs["run_id"]]
    record = next(r for r in site.records if r["run_id"] != theirs["run_id"])
    assert (record["status"], record["error"]["code"]) == ("failed", "publish_conflict")
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


def test_a_flip_whose_answer_is_lost_has_succeeded(bench, site):
    ended = bench.launcher.run(site.folder, *RUN, "--json", before=[("lose_the_answer", {})])
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["production"] == site.pointer
    assert site.pointer["generation"] == 2
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)


def test_a_flip_that_is_not_answered_at_all_is_not_done_twice(bench, site):
    before = [("lose_the_answer", {"error": "OSError"})]
    ended = bench.launcher.run(site.folder, *RUN, before=before)
    assert ended.code == 0, ended.err
    assert site.pointer["generation"] == 2
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)
