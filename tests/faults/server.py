"""Forks a process for each command line: the modules are imported once, and nothing else is done.

Started with `python -m tests.faults.server`; it reads a JSON document a line and answers with one.
It has no threads and opens no database, so that what it forks begins as a new process would.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import sys
from pathlib import Path

IMPORTED = (
    "duckdb",
    "sqlglot",
    "healthpipe.workflow.lambda_handler",
    "healthpipe.cli.app",
    "healthpipe.cli.generate",
    "healthpipe.cli.lazy",
    "healthpipe.cli.orchestrate",
    "healthpipe.cli.runs",
    "healthpipe.cli.stages",
    "healthpipe.engines.duckdb",
    "healthpipe.workflow.resume",
    "tests.faults.disturbances",
)
# What other libraries import once they are used.
LATE = (
    "duckdb",
    "pydantic.main",
    "pydantic.type_adapter",
    "sqlglot.dialects.athena",
    "sqlglot.dialects.duckdb",
    "rich.console",
    "rich.progress",
    "sysconfig",
    "fractions",
    "getpass",
)
_children: dict[int, int] = {}  # by process id, its pidfd
_statements: dict[str, str] = {}  # SQL texts by what they were made of


def remember_statements() -> None:
    """Make each SQL text once, for half of the time of a small run goes there."""
    from healthpipe.engines import duckdb

    make = duckdb.statement

    def statement(relation, dialect: str) -> str:
        key = repr(relation)
        if key not in _statements:
            _statements[key] = make(relation, dialect)
        return _statements[key]

    duckdb.statement = statement


def load(order: dict) -> dict:
    """Import the whole package, for users who may not reach Python's own files."""
    import healthpipe

    names = [each.name for each in pkgutil.walk_packages(healthpipe.__path__, "healthpipe.")]
    for name in (*names, *LATE):
        if name != "healthpipe.__main__":
            importlib.import_module(name)
    return {}


def learn(order: dict) -> dict:
    """Take over what a process has kept in the file `rehearsal`, and import what it did."""
    kept = json.loads(Path(order["rehearsal"]).read_text())
    _statements.update(kept["statements"])
    for name in kept["modules"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return {}


def _keep(file: str) -> None:
    modules = [name for name in sys.modules if not name.startswith("_")]
    Path(file).write_text(json.dumps({"statements": _statements, "modules": modules}))


def start(order: dict) -> dict:
    """Fork a process that runs `argv` in `cwd`; what it prints goes to the files `out` and `err`.

    `before` are disturbances: names of functions in `disturbances` with their arguments. What
    it had to make and import is kept in the file `rehearsal`, if one is given.
    """
    pid = os.fork()
    if pid == 0:
        _become(order)
    _children[pid] = os.pidfd_open(pid)
    return {"pid": pid}


def _become(order: dict) -> None:
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(order["cwd"])
        os.environ.update(order["env"])
        for number, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ):
            handle = os.open(name, flags)
            os.dup2(handle, number)
            os.close(handle)
        sys.argv = ["healthpipe", *order["argv"]]
        disturbances = importlib.import_module("tests.faults.disturbances")
        for name, arguments in order["before"]:
            getattr(disturbances, name)(**arguments)
        from healthpipe.cli.app import run

        signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # what Python itself would show
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        code = 1
    finally:
        if order["rehearsal"]:
            _keep(order["rehearsal"])
        os._exit(code)


def stop(order: dict) -> dict:
    """Send a signal to a process unless it has ended."""
    try:
        signal.pidfd_send_signal(_children[order["pid"]], order["signal"])
    except ProcessLookupError:
        return {"sent": False}
    return {"sent": True}


def wait(order: dict) -> dict:
    """Its exit code, below 0 if a signal ended it; None while it goes on after `seconds`."""
    import select

    pid, seconds = order["pid"], order["seconds"]
    watched = select.poll()
    watched.register(_children[pid], select.POLLIN)
    if not watched.poll(None if seconds is None else seconds * 1000):
        return {"code": None}
    _, status = os.waitpid(pid, 0)
    os.close(_children.pop(pid))
    return {"code": os.waitstatus_to_exitcode(status)}


def main() -> None:
    """Serve until standard input ends; then end what still runs."""
    for name in IMPORTED:
        importlib.import_module(name)
    remember_statements()
    actions = {
        "greet": lambda _: {},
        "load": load,
        "learn": learn,
        "start": start,
        "stop": stop,
        "wait": wait,
    }
    answers = os.fdopen(os.dup(1), "w")
    os.set_inheritable(answers.fileno(), False)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(actions[order["do"]](order)), file=answers, flush=True)
    for pid, handle in _children.items():
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()
