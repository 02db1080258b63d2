"""SIGTERM and Ctrl-C at any instant: a quick end that the exit code and the record tell of."""

import random
import signal
import time

import pytest

from tests.faults.kills import RUN, instants
from tests.faults.site import require_recovered, require_whole

pytestmark = pytest.mark.slow
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
QUICK_S = 2.0


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("chunk", range(3))
def test_interrupted_at_random_instants(bench, number, chunk):
    for instant in instants(random.Random(chunk), 5):
        site = bench.copy(bench.fresh)
        process = bench.launcher.start(site.folder, *RUN)
        process.wait(instant.part * bench.seconds)
        was_sent, began = process.send(number), time.monotonic()
        ended = process.end()
        try:
            require_interrupted(site, ended, CODES[number], was_sent)
            # Another process may have the machine; a run's own time tells how much of it is left.
            assert time.monotonic() - began < QUICK_S + bench.seconds
            site.let_time_pass()
            require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)
        except AssertionError as error:
            error.add_note(f"{number!r} {instant}; see {site.folder}")
            raise
        site.remove()


def require_interrupted(site, ended, code, was_sent):
    require_whole(site, (1, 2))
    assert "Traceback" not in ended.err, ended.err
    if ended.code == 0 or ended.code < 0:  # over, or not begun
        return
    assert was_sent
    assert ended.code == code, ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("healthpipe: interrupted; ")
    records = [record for record in site.records if record["status"] == "interrupted"]
    is_live = site.pointer["generation"] == 2
    if is_live and not records:  # the signal came after Finish had closed the record
        assert {record["status"] for record in site.records} == {"succeeded"}
    elif len(site.records) > 1:
        (record,) = records
        assert record["error"]["code"] == "interrupted"
        assert not [step for step in record["steps"] if step["status"] in ("running", "paused")]
    assert ("what it published is live" in last) == is_live, last


def test_a_second_signal_ends_it_at_once(bench):
    site = bench.copy(bench.fresh)
    process = bench.launcher.start(site.folder, *RUN, before=[("hold_up", {"step": "Curate"})])
    while len(list(site.root.glob("runs/*/steps/Curate.json"))) < 2:
        assert process.wait(0.05) is None
    process.send(signal.SIGTERM)
    process.send(signal.SIGINT)  # of two of the same number one may be lost
    began = time.monotonic()
    assert process.end().code in (143, 130)
    assert time.monotonic() - began < 1
    require_whole(site, (1,))
    site.let_time_pass()
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)
