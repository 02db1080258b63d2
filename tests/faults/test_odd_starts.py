"""Started as cron, a container or a pipe may start it: with nothing that a terminal has."""

import subprocess
import sys

import pytest

from tests.faults.kills import RUN
from tests.faults.launching import CHECKOUT
from tests.faults.site import require_recovered, require_whole

pytestmark = pytest.mark.slow


@pytest.mark.pitfall(73)
@pytest.mark.parametrize("manner", ["<&-", "| true", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_run_without_home_or_terminal_publishes(bench, manner):
    site = bench.copy(bench.fresh)
    command = f"{sys.executable} -m healthpipe {' '.join(RUN)} {manner}; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=site.folder,
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == (4 if "full" in manner else 0), ended.stderr
    require_whole(site, (2,))
    require_recovered(site, bench.launcher.run(site.folder, *RUN), bench.expected)
    site.remove()
