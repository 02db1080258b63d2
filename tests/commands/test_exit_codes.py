"""Every exit code of the contract that can occur, with what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from healthpipe.cancellation import interrupted_by_signals, signals_deferred
from healthpipe.errors import Interrupted
from healthpipe.stages import curate
from healthpipe.workflow.step_runner import STEPS, Step
from healthpipe.workflow.steps import release
from tests.conftest import AS_OF, EXAMPLES


def the_record(folder: Path) -> dict:
    (path,) = folder.glob("data/runs/*/run.json")
    return json.loads(path.read_text())


def test_0_also_with_zero_rows(cli):
    assert cli("state-counts", "-", stdin=b"").code == 0


@pytest.mark.parametrize("command", ["extract", "orchestrate"])
def test_1_when_the_counts_contradict_each_other(cli, examples, tmp_path, monkeypatch, command):
    real = curate.Balance

    def broken(lines, *counts):
        return real(lines + 1, *counts)

    monkeypatch.setattr(curate, "Balance", broken)

    outcome = cli(command, "examples", "--as-of", AS_OF)

    assert outcome.code == 1
    assert outcome.out == ""
    assert "contradict" in outcome.err
    record = the_record(tmp_path)
    assert (record["status"], record["error"]["code"]) == ("failed", "imbalance")
    assert not list(tmp_path.glob("data/runs/*/extract/*"))
    assert not (tmp_path / "data" / "production" / "current.json").exists()


@pytest.mark.pitfall(42)
@pytest.mark.parametrize("kind", [ZeroDivisionError, EOFError])
def test_1_for_a_bug_of_ours(cli, examples, tmp_path, monkeypatch, kind):
    def fail(*_, **__):
        raise kind("with a value of a record")

    monkeypatch.setattr("healthpipe.stages.compute.account", fail)

    outcome = cli("extract", "examples")

    assert outcome.code == 1
    assert outcome.err.lstrip().startswith(f"healthpipe: unexpected {kind.__name__}; ")
    assert "record" not in the_record(tmp_path)["error"]["message"]


def test_4_when_the_disk_is_full(cli, examples, tmp_path):
    outcome = cli("state-counts", "examples", "-o", "/dev/full")

    assert outcome.code == 4
    assert "the disk is full" in outcome.err
    assert the_record(tmp_path)["status"] == "failed"
    assert Path("/dev/full").is_char_device()


@pytest.mark.pitfall(44)
def test_4_and_an_alert_when_a_run_cannot_even_begin(cli, examples, tmp_path):
    (tmp_path / "data").write_text("no folder")

    outcome = cli("orchestrate", "examples")

    assert outcome.code == 4
    assert "healthpipe: run failed at the start (service failed)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("healthpipe: ")


def test_4_when_files_keep_changing(cli, examples, tmp_path, monkeypatch):
    changing = examples / "2026-01-05" / "west.jsonl"
    real = curate.keep_records

    def change_meanwhile(*arguments):
        with changing.open("a") as file:
            file.write("\n")
        return real(*arguments)

    monkeypatch.setattr("healthpipe.stages.compute.keep_records", change_meanwhile)

    outcome = cli("extract", "examples")

    assert outcome.code == 4
    assert "changed while they were read" in outcome.err


def test_a_run_interrupted_after_it_published_says_so_and_a_retry_does_the_rest(
    cli, examples, tmp_path, monkeypatch
):
    def interrupt(*_, **__):
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr("healthpipe.alerts.notifier.Notifier.announce_expiring", interrupt)
        outcome = cli("orchestrate", "examples", "--as-of", AS_OF)

    assert outcome.code == 143
    assert "nothing was published" not in outcome.err
    assert "what it published is live" in outcome.err
    live = json.loads((tmp_path / "data" / "production" / "current.json").read_text())
    outcome = cli("runs", "retry", "--json")
    assert (outcome.code, outcome.document["status"]) == (0, "succeeded")
    assert outcome.document["production"] == live
    assert "accreditations due" in outcome.err


def test_a_file_that_changes_once_is_read_as_it_is_then(cli, tmp_path, monkeypatch):
    source = tmp_path / "in.jsonl"
    source.write_text('{"facility_id": "F1"}\n')
    real = curate.keep_records
    additions = iter(['{"facility_id": "F2"}\n'])

    def change_once(*arguments):
        with source.open("a") as file:
            file.write(next(additions, ""))
        return real(*arguments)

    monkeypatch.setattr("healthpipe.stages.compute.keep_records", change_once)

    assert cli("extract", "in.jsonl", "--json").document["records"]["lines"] == 2


def test_a_file_that_vanishes_is_left_out(cli, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text(f'{{"facility_id": "{name}"}}\n')
    real = curate.judge_lines

    def remove_first(*arguments):
        (folder / "b.jsonl").unlink(missing_ok=True)
        return real(*arguments)

    monkeypatch.setattr("healthpipe.stages.compute.judge_lines", remove_first)

    document = cli("extract", "in", "--json").document
    assert (document["input"]["files"], document["records"]["lines"]) == (1, 1)


def test_6_when_somebody_else_published_first(cli, examples, tmp_path, monkeypatch):
    assert cli("orchestrate", "examples").code == 0
    pointer = tmp_path / "data" / "production" / "current.json"
    theirs = pointer.read_text().replace('"generation": 1', '"generation": 2')
    real = release.publish_outputs

    def publish_meanwhile(*arguments, **keywords):
        pointer.write_text(theirs)
        return real(*arguments, **keywords)

    monkeypatch.setattr("healthpipe.workflow.steps.release.publish_outputs", publish_meanwhile)

    outcome = cli("orchestrate", "examples", "--force")

    assert outcome.code == 6
    assert "somebody else published" in outcome.err
    assert pointer.read_text() == theirs
    live = json.loads(theirs)["run_id"]
    assert [path.name for path in pointer.parent.iterdir() if path.is_dir()] == [live]


@pytest.mark.parametrize("command", ["filter-expiring", "orchestrate"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_when_interrupted(tmp_path, command, number, code):
    fifo = tmp_path / "endless"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "healthpipe", command, fifo],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open("wb"):  # opens once the run reads from it, which then waits for bytes
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)

    assert process.returncode == code
    assert time.monotonic() - began < 10
    assert out == ""
    hint = "nothing was published; run again" if command == "orchestrate" else "run again"
    assert err.splitlines() == [f"healthpipe: interrupted; {hint}"]
    record = the_record(tmp_path)
    assert (record["status"], record["error"]["code"]) == ("interrupted", "interrupted")
    assert not list(tmp_path.glob("data/runs/*/.attempt"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_also_while_the_options_are_read(cli, monkeypatch, number, code):
    interrupt = lambda: os.kill(os.getpid(), number)  # noqa: E731
    monkeypatch.setattr("healthpipe.cli.app.print_version", interrupt)
    outcome = cli("--version", "extract")
    assert outcome.code == code
    assert outcome.err.splitlines() == ["healthpipe: interrupted; run again"]


def test_143_says_so_if_the_run_had_published(cli, examples, tmp_path, monkeypatch):
    def interrupt(_):
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(20)

    with monkeypatch.context() as patched:
        patched.setitem(STEPS, "AlertExpiring", Step(interrupt))
        outcome = cli("orchestrate", "examples", "--as-of", AS_OF, "--warn-issues", "20%")

    assert outcome.code == 143
    assert outcome.err.splitlines() == [
        "healthpipe: interrupted; what it published is live;"
        " the next run sends the alerts that are due"
    ]
    assert the_record(tmp_path)["status"] == "interrupted"
    assert "accreditations due" in cli("orchestrate", "examples", "--as-of", AS_OF).err


def test_a_signal_waits_for_the_end_of_what_must_not_be_broken():
    done = []

    def do_all():
        with interrupted_by_signals(), signals_deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all")

    with pytest.raises(Interrupted):
        do_all()
    assert done == ["all"]


@pytest.mark.parametrize(
    "command",
    [
        f"extract {EXAMPLES} --format csv -o - | head -1",
        f"extract {EXAMPLES} --format csv -o - | true",
        "workflow show | true",
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path, command):
    pipeline = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m healthpipe {command}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert pipeline.returncode == 0
    assert pipeline.stdout.startswith("facility_id," if "head" in command else "")
    assert not {"Traceback", "Exception"} & set(pipeline.stderr.replace(":", " ").split())


def run_unread(folder: Path, *arguments: str, out: bool, err: bool) -> int:
    """Run the command line with streams whose reader is gone, and return its exit code.

    Python keeps what it could not write until it exits, unless it is told not to buffer.
    """
    reader, unread = os.pipe()
    os.close(reader)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    try:
        return subprocess.run(
            [sys.executable, "-m", "healthpipe", *arguments],
            cwd=folder,
            stdout=unread if out else subprocess.DEVNULL,
            stderr=unread if err else subprocess.DEVNULL,
            env=environment,
            check=False,
        ).returncode
    finally:
        os.close(unread)


@pytest.mark.parametrize(("out", "err"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    "command",
    [
        "--version",
        "--help",
        "describe",
        f"extract {EXAMPLES} --format csv -o -",
        f"orchestrate {EXAMPLES} --as-of {AS_OF}",
        f"orchestrate {EXAMPLES} --as-of {AS_OF} --json",
    ],
)
def test_streams_that_nobody_reads_are_no_error(tmp_path, command, out, err):
    assert run_unread(tmp_path, *command.split(), out=out, err=err) == 0


@pytest.mark.parametrize("more", [[], ["--json"], ["--debug"]])
def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path, more):
    command = ("extract", str(EXAMPLES), "--as-of", "soon", *more)
    assert run_unread(tmp_path, *command, out=False, err=True) == 2
    assert run_unread(tmp_path, *command, out=True, err=True) == 2


@pytest.mark.parametrize(
    ("manner", "code"), [(">/dev/full", 4), ("2>/dev/full", 0), (">&-", 0), ("<&- 2>&-", 0)]
)
def test_streams_that_are_full_or_closed_are_no_surprise(tmp_path, manner, code):
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m healthpipe describe extract {manner}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.splitlines()) == (1 if code else 0)
