"""The runner of CI fails when a part fails, shows what that printed, and leaves nothing behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

SUITES = Path(__file__).parents[1] / ".ci" / "suites.py"
RUN = """
import runpy, sys
names = runpy.run_path({suites!r})
main = names["main"]
main.__globals__["LANES"] = {lanes!r}
sys.exit(main())
"""


def python(code: str) -> str:
    return f'python -c "{code}"'


def run_lanes(*lanes: tuple[str, ...]) -> subprocess.CompletedProcess:
    code = RUN.format(suites=str(SUITES), lanes=lanes)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_last_lines_of_all_are_shown_where_all_succeed():
    ended = run_lanes((python("print(*range(9), sep='\\n')"),), (python("print('one')"),))

    assert ended.returncode == 0, ended.stderr
    assert "\n5\n6\n7\n8\n" in ended.stdout
    assert "\n4\n" not in ended.stdout
    assert "\none\n" in ended.stdout
    assert "failed" not in ended.stdout


def test_all_that_a_failed_one_printed_is_shown_and_the_others_run():
    bad = python("print(*range(9), sep='\\n'); raise SystemExit(3)")
    ended = run_lanes((bad, python("print('after')")), (python("print('beside')"),))

    assert ended.returncode == 1
    assert "\n0\n1\n2\n" in ended.stdout
    assert "\nafter\n" in ended.stdout
    assert "\nbeside\n" in ended.stdout
    assert ended.stdout.endswith(f"failed: {bad}\n")


def is_running(pid):
    try:
        stat = Path("/proc", pid, "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_what_a_command_leaves_running_is_ended():
    left = "import subprocess as s; print(s.Popen(['sleep', '300']).pid)"
    ended = run_lanes((python(left),))

    pid = next(line for line in ended.stdout.splitlines() if line.isdigit())
    end = time.monotonic() + 10  # a signal that was sent takes a moment
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(pid)


@pytest.mark.parametrize("suite", ["pytest --engine trino", "pytest --engine athena", "mypy"])
def test_every_suite_has_a_place_in_a_lane(suite):
    assert f'"{suite}"' in SUITES.read_text(encoding="utf-8")


@pytest.mark.parametrize("suite", [".venv/bin/pytest", ".venv/bin/pytest -m slow"])
def test_suites_that_compute_run_by_themselves(suite):
    lines = SUITES.with_name("run").read_text(encoding="utf-8").splitlines()
    assert any(line.endswith(suite) for line in lines)
