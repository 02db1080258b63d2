"""What is done inside a process before its command line runs, to disturb it."""

import dataclasses
import os
import re
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from healthpipe.alerts import channels
from healthpipe.asl import definition
from healthpipe.asl.errors import Retries
from healthpipe.publishing import pointer, publish
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.layout import Root
from healthpipe.storage.local import LocalStorage
from healthpipe.workflow import orchestrate
from healthpipe.workflow.orchestrate import pipeline_path
from healthpipe.workflow.step_runner import STEPS

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
RANDOM = re.compile(r"[0-9a-f]{32}")
# The places, among what an audit event tells, of the path that is changed and of the handle of
# the folder that it is relative to.
CHANGES = {
    "open": (0, None),
    "os.rename": (1, 3),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 2),
    "os.truncate": (0, None),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.chmod": (0, 2),
    "os.utime": (0, 3),
}


def record_changes(file: str, root: str = "data") -> None:
    """Write each change of files below a root to `file` before it is made, a label a line."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    _watch_changes(root, lambda label: os.write(handle, f"{label}\n".encode()))


def kill_at_change(label: str, *, after: bool, root: str = "data") -> None:
    """Kill the process just before the change of that label, or just after it."""

    def act(reached: str) -> None:
        if reached == label:
            if after:
                sys.setprofile(_kill_when_on)
            else:
                _kill()

    _watch_changes(root, act)


def _watch_changes(root: str, act) -> None:
    """Call `act` with a label before each change of files that Python makes below a root.

    A label is the kind of the change, the path without what is random in it, and how often this
    one was met; so runs can be compared, whatever order their threads go in.
    """
    below = str(Path(root).resolve())
    met: Counter[str] = Counter()
    lock = threading.RLock()

    def watch(event: str, arguments: tuple) -> None:
        if event not in CHANGES or (event == "open" and not (arguments[2] or 0) & WRITING):
            return
        place, folder = CHANGES[event]
        note(event, arguments[place], -1 if folder is None else arguments[folder])

    def note(event: str, changed, folder: int = -1) -> None:
        if isinstance(changed, int):
            changed, folder = "", changed
        parent = Path.cwd() if folder == -1 else Path(f"/proc/self/fd/{folder}").readlink()
        path = os.path.normpath(parent / os.fsdecode(changed))
        if not path.startswith(below) or _is_vain(event, path):
            return
        name = RANDOM.sub("~", RUN.sub("RUN", os.path.relpath(path, below)))
        with lock:
            met[event, name] += 1
            label = f"{event} {name} {met[event, name]}"
            act(label)

    real = os.fsync

    def fsync(handle) -> None:
        note("fsync", handle)
        real(handle)

    os.fsync = fsync
    sys.addaudithook(watch)


def _is_vain(event: str, path: str) -> bool:
    """Whether it changes nothing: a folder that is there, a file that is not, a lock taken."""
    is_there = os.path.lexists(path)
    if event == "open":
        return is_there and path.endswith("lock")
    return is_there if event == "os.mkdir" else not is_there and event == "os.remove"


def _kill_when_on(frame, event, _) -> None:
    """Kill as soon as Python goes on outside this module: the change is made then."""
    if frame.f_code.co_filename != __file__:
        _kill()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hold_up(step: str, seconds: int | None = None) -> None:
    """Make a step hang, and hear nothing; it has so many seconds instead of its own time."""

    def hang(_: object) -> None:
        threading.Event().wait()

    STEPS[step] = dataclasses.replace(STEPS[step], perform=hang)
    if seconds is not None:
        machine = definition.load(pipeline_path())
        machine["States"][step]["TimeoutSeconds"] = seconds
        orchestrate.load = lambda _: machine


def publish_meanwhile(moment: str) -> None:
    """Have another publisher, without the lock, flip the pointer before Publish, or its flip."""

    def flip_theirs() -> None:
        root = Root("data")
        live = pointer.read_live(root)
        document = live.document | {"generation": live.generation + 1, "nonce": "theirs"}
        root.storage.put_if(root.pointer, pointer.encode(document), live.etag)

    if moment == "flip":
        _once_before(publish, "flip", flip_theirs)
        return
    step = STEPS[moment]

    def perform(work):
        flip_theirs()
        return step.perform(work)

    STEPS[moment] = dataclasses.replace(step, perform=perform)


def lose_the_answer(error: str = "PreconditionFailed") -> None:
    """Have the flip of the pointer done, and its answer say that it was not."""
    errors = {"PreconditionFailed": PreconditionFailed, "OSError": OSError}
    put_if = LocalStorage.put_if

    def put(storage, uri, content, etag):
        found = put_if(storage, uri, content, etag)
        if uri.endswith("production/current.json"):
            LocalStorage.put_if = put_if
            raise errors[error](uri)
        return found

    LocalStorage.put_if = put


def _once_before(module, name: str, act) -> None:
    """Do something before the first call of a module's function."""
    called = getattr(module, name)

    def first(*arguments, **keywords):
        setattr(module, name, called)
        act()
        return called(*arguments, **keywords)

    setattr(module, name, first)


def retry_at_once() -> None:
    """Have retries of steps wait for no time worth mentioning."""
    delay = Retries.delay

    def at_once(retries, failure):
        return None if delay(retries, failure) is None else 0.001

    Retries.delay = at_once


def become_unprivileged(uid: int) -> None:
    """Go on as somebody who owns nothing."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def hurry_sns(patience: float) -> None:
    """Wait for SNS for so many seconds in all, and a tenth of them for a connection or answer."""
    channels.CONNECT_SECONDS = channels.READ_SECONDS = patience / 10
    made = channels.SnsChannel.__init__

    def make(channel, *arguments):
        made(channel, *arguments, total_seconds=patience)

    channels.SnsChannel.__init__ = make
