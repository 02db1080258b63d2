"""Killed at any instant, production is the old run or the new one, and the next run succeeds."""

import random

import pytest

from tests.faults.kills import (
    RETRY,
    ROLLBACK,
    RUN,
    AtChange,
    Case,
    boundaries,
    chunk_of,
    of_run,
    random_cases,
)
from tests.faults.site import require_recovered

pytestmark = pytest.mark.slow
CHUNKS = 8
INSTANTS = 4  # of each chunk
NEVER = AtChange("no change has this label")
FLIP = AtChange("os.rename production/current.json 1", after=True)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_on_both_sides_of_every_boundary_of_every_step(bench, chunk):
    kills = [kill for kill in boundaries(bench.changes) if chunk_of(kill, CHUNKS) == chunk]
    reached = sum(bench.check(of_run(kill)) for kill in kills)
    assert reached >= 0.9 * len(kills)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_random_instants_of_runs_recoveries_retries_rollbacks_and_prunings(bench, chunk):
    cases = random_cases(random.Random(chunk), INSTANTS)
    assert sum(bench.check(case) for case in cases) >= len(cases) / 2


def test_a_run_that_was_killed_after_the_flip_and_rolled_back_keeps_its_copies(bench):
    assert bench.check(Case(((RUN, FLIP), (ROLLBACK, NEVER))))


def test_a_retry_enters_steps_that_were_done_before_the_record_told_of_them(bench):
    done = AtChange("os.rename runs/RUN/steps/FilterExpiring.json 2", after=True)
    assert bench.check(Case(((RUN, done), (RETRY, NEVER))))


def test_the_alert_about_a_dead_run_names_the_step_it_died_at(bench):
    site = bench.copy(bench.fresh)
    bench.killed(site, RUN, AtChange("os.rename production/current.json 1"))
    ended = bench.launcher.run(site.folder, *RUN)
    assert "healthpipe: run failed at Publish (died)" in ended.err
    require_recovered(site, ended, bench.expected)
