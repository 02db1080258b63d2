"""What docs/unattended.md and its files promise to a scheduler, run as a scheduler does it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from configparser import RawConfigParser
from datetime import timedelta
from pathlib import Path

import pytest

from healthpipe.text import parse_age
from tests.conftest import EXAMPLES
from tests.support.documented_commands import PROJECT, blocks, shown_and_printed

OPERATIONS = PROJECT / "docs" / "operations"
DOCUMENT = "docs/unattended.md"
INSTALLED, ROOT = "/opt/healthpipe/bin", "/srv/health"
UNITS = sorted(path.name for path in OPERATIONS.iterdir() if path.suffix in (".service", ".timer"))
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
CALM = '{"facility_id": "F1", "facility_name": "Clinic", "location": {"state": "CA"}}\n'


class Unit(RawConfigParser):
    """A systemd unit. Its keys are case-sensitive, and none of ours is given twice."""

    optionxform = staticmethod(str)

    @classmethod
    def of(cls, name):
        unit = cls(delimiters="=", comment_prefixes="#")
        unit.read(OPERATIONS / name)
        return unit

    def words(self, key):
        return self["Service"][key].split()


def crontab():
    """Its settings, and its jobs as pairs of five fields and a command line."""
    text = (OPERATIONS / "healthpipe.cron").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    jobs = [line.split(None, 5) for line in lines if not re.match(r"\w+=", line)]
    return settings, [(job[:5], job[5]) for job in jobs]


SETTINGS, JOBS = crontab()
PUBLISH, CHECK, PRUNE = (command for _, command in JOBS)


@pytest.fixture
def root(tmp_path):
    """A root with one raw file, of which nobody has to know anything."""
    raw = tmp_path / "health" / "raw"
    raw.mkdir(parents=True)
    (raw / "calm.jsonl").write_text(CALM)
    return raw.parent


@pytest.fixture
def scheduled(root):
    """Run a command line as a scheduler does: in `/`, with next to nothing in the environment, no
    terminal, no home; the installation and the root of the files replaced by those of the test.
    """

    def here(text):
        return text.replace(INSTALLED, str(Path(sys.executable).parent)).replace(ROOT, str(root))

    def run(command, settings=SETTINGS, extra=""):
        given = {name: here(value) for name, value in settings.items() if name != "MAILTO"}
        code = {"PYTHONPATH": str(PROJECT)}  # the code under test, whatever is installed
        return subprocess.run(
            ["/bin/sh", "-c", here(command) + extra],
            cwd="/",
            env={"PATH": "/usr/bin:/bin"} | given | code,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )

    return run


def told(done):
    return done.returncode, done.stdout, done.stderr


@pytest.mark.pitfall(55)
def test_the_crontab_runs_publishes_and_says_nothing(scheduled, root):
    assert told(scheduled(CHECK))[0] == 3

    assert told(scheduled(PUBLISH)) == (0, "", "")
    published = (root / "production" / "current.json").read_bytes()
    assert told(scheduled(PUBLISH)) == (0, "", ""), "the second run of a day has nothing to do"
    assert (root / "production" / "current.json").read_bytes() == published
    assert told(scheduled(CHECK)) == (0, "", "")
    assert told(scheduled(PRUNE)) == (0, "", "")


def test_what_somebody_has_to_know_is_mailed(scheduled, root):
    shutil.copytree(EXAMPLES, root / "raw" / "examples")

    code, out, err = told(scheduled(PUBLISH, extra=" --as-of 2026-02-15"))
    assert (code, out) == (0, "")
    assert "\nhealthpipe: accreditations due: " in err
    rejected, issues = err.splitlines()[-2:]
    assert rejected.startswith("rejected: 1 facility_id_missing, ")
    assert issues.startswith("issues: 1 accreditation_date_invalid, ")

    (root / "raw" / "torn.jsonl").write_text("{\n" * 20)
    first, second = (told(scheduled(PUBLISH, extra=" --as-of 2026-02-16")) for _ in range(2))
    assert (first[:2], second[:2]) == ((3, ""), (3, ""))
    assert "healthpipe: run failed at Audit" in first[2]
    lines = [RUN_ID.sub("RUN", each[2]).splitlines() for each in (first, second)]
    assert lines[1] == lines[0][-1:], "of the same failure the line"


def test_a_json_log_is_one_object_a_line(scheduled, root):
    shutil.copytree(EXAMPLES, root / "raw" / "examples")
    done = scheduled(PUBLISH, extra=" --log-format json --max-rejects 0 --as-of 2026-02-15")

    assert done.returncode == 3
    *gates, alert, error = map(json.loads, done.stderr.splitlines())
    assert {gate["level"] for gate in gates} == {"warning"}
    assert {"time", "level", "message", "alert"} <= alert.keys()
    assert {"time", "level", "message", "code", "hint"} <= error.keys()


def test_the_crontab_checks_late_enough_to_miss_the_run_of_the_morning():
    (publish, check, prune) = (fields for fields, _ in JOBS)

    def time_of(fields):
        return timedelta(hours=int(fields[1]), minutes=int(fields[0]))

    age = parse_age("--max-age", shlex.split(CHECK)[-1])
    since_yesterday = timedelta(days=1) + time_of(check) - time_of(publish)
    assert time_of(check) - time_of(publish) > timedelta(hours=1)
    assert since_yesterday > age > timedelta(days=1)
    assert publish[2:] == check[2:] == ["*", "*", "*"]
    assert prune[4] == "0"


def test_cron_reads_the_commands_to_their_end():
    assert not [command for _, command in JOBS if re.search(r"(?<!\\)%", command)]
    assert SETTINGS["HEALTHPIPE_ROOT"].startswith("/")


@pytest.mark.parametrize(
    ("unit", "code"), [("healthpipe.service", 0), ("healthpipe-check.service", 3)]
)
def test_the_services_run_as_their_crontab_does(scheduled, unit, code):
    service = Unit.of(unit)
    settings = dict(pair.split("=", 1) for pair in service.words("Environment"))
    assert Path(service.words("ExecStart")[0]).is_absolute()

    done = scheduled(service["Service"]["ExecStart"], settings)

    assert (done.returncode, done.stdout) == (code, "")
    assert bool(done.stderr) == bool(code)


def test_only_what_can_get_better_is_started_again():
    contract = {0, 1, 2, 3, 4, 5, 6}
    service = Unit.of("healthpipe.service")
    never = set(map(int, service.words("RestartPreventExitStatus")))
    good = {0, *map(int, service.words("SuccessExitStatus"))}

    assert service["Service"]["Restart"] == "on-failure"
    assert contract - never - good == {4}
    assert good - contract == {128 + signal.SIGTERM}


def test_the_tries_of_the_service_come_to_an_end():
    def span(text):
        units = {"s": "seconds", "min": "minutes", "h": "hours"}
        number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
        return timedelta(**{units[unit]: int(number)})

    unit = Unit.of("healthpipe.service")
    tries = int(unit["Unit"]["StartLimitBurst"])
    longest = span(unit["Service"]["TimeoutStartSec"]) + span(unit["Service"]["RestartSec"])
    assert tries * longest < span(unit["Unit"]["StartLimitIntervalSec"])
    assert span(unit["Service"]["TimeoutStopSec"]) > timedelta(seconds=2)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_knows_what_the_units_say(tmp_path):
    for name in UNITS:
        text = (OPERATIONS / name).read_text()
        here = text.replace(f"{INSTALLED}/healthpipe", "/bin/true")
        (tmp_path / name).write_text(here.replace("User=healthpipe\n", ""))

    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in checked.stderr.splitlines() if "healthpipe" in line]
    assert (checked.returncode, ours) == (0, [])


def test_the_units_name_units_that_are_there():
    for name in UNITS:
        unit = Unit.of(name)
        assert unit["Unit"].get("OnFailure", name) in UNITS
        if name.endswith(".timer"):
            assert name.replace(".timer", ".service") in UNITS


def test_the_document_shows_the_files_as_they_are():
    (cron,) = blocks(DOCUMENT, "crontab")
    assert cron == (OPERATIONS / "healthpipe.cron").read_text()
    assert blocks(DOCUMENT, "ini") == [
        (OPERATIONS / name).read_text() for name in ("healthpipe.service", "healthpipe.timer")
    ]


def test_after_a_kill_nobody_has_to_clear_up(scheduled, root, tmp_path):
    fifo = tmp_path / "endless"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "healthpipe", "orchestrate", fifo, "--root", root, "--quiet"]
    )
    with fifo.open("wb"):  # opens once the run reads from it
        busy = scheduled(PUBLISH.replace("600", "0"))
        process.kill()
        process.wait()

    assert busy.returncode == 5
    assert "is at work on" in busy.stderr
    assert "was killed" in scheduled("healthpipe status").stdout
    fifo.unlink()
    fifo.write_text(CALM)
    assert scheduled("healthpipe runs retry --quiet").returncode == 0
    assert json.loads(scheduled("healthpipe status --json").stdout)["last_run"]["status"] == (
        "succeeded"
    )
    assert not list(root.glob("runs/*/.a*"))


def test_sigterm_ends_a_run_within_two_seconds(root, tmp_path):
    fifo = tmp_path / "endless"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "healthpipe", "orchestrate", fifo, "--root", root, "--quiet"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open("wb"):
        began = time.monotonic()
        process.terminate()
        err = process.communicate(timeout=30)[1]

    assert time.monotonic() - began < 2
    assert process.returncode in map(int, Unit.of("healthpipe.service").words("SuccessExitStatus"))
    assert err == "healthpipe: interrupted; nothing was published; run again\n"


@pytest.mark.slow
def test_the_bad_morning_is_what_happens(tmp_path):
    shown, printed = shown_and_printed("docs/a-bad-morning.md", tmp_path)

    assert len(shown) > 20
    assert printed == shown


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (document, name)
        for document in (DOCUMENT, "docs/a-bad-morning.md")
        for name in re.findall(r"\]\(([^)#:]+)\)", (PROJECT / document).read_text())
    ],
)
def test_links_lead_somewhere(document, name):
    assert (PROJECT / "docs" / name).exists()
