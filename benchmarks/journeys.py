"""How far a command goes through the package: the files it touches, the modules a request visits.

    .venv/bin/python benchmarks/journeys.py [--tree PATH]

Counted with `sys.setprofile`, in all threads, on the examples and a new root:

file     a Python file of the package in which a function is called. What runs while a module is
         imported does not count: the bodies of modules and classes, and what they call.
request  `filter-expiring` from the entry into the command's function to its end, in the main
         thread, down to five calls below that function: what a reader follows who wants to know
         what a stage does. Properties and comprehensions do not count, nor what is deeper. One
         more function on the way hides a level, so that the last line counts all depths: there a
         function counts at its first call alone.
visit    an uninterrupted run of calls within one module. A module that calls another and then
         calls a function of its own is visited twice.

Before the package was restructured this script counted 65, 119 and 158 files, and a request of 33
modules in 74 visits. The targets are printed beside what is found, with the size of the files. They
were 150 files, 43, 74 and 93 touched and a request of 18 modules in 40 visits, until the content of
files was told by its bytes (`packing`, `detection`, `archives`, `folders`) and their meaning was
judged (`figures`, `meaning`, `drops`, `examples`, `changes`); and 160, 47, 78 and 100 until stages
by hand read segments (`segment_writer`, `segment_cache`, `stage_records`, `known_files`): each is
one idea of 60 to 250 lines, and a reader is helped by none of them being part of another.
`--tree` is another checkout, for a comparison; its own Python should run the script.
"""

import argparse
import functools
import inspect
import itertools
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).parents[1]
DAY = "2026-02-15"
DEEPEST = 5  # calls below the command's function
WRAPPER = "cli/signature.py"  # stands between Typer and that function
BUCKET = "journeys"
JOURNEYS = {
    "filter-expiring -o x": (("filter-expiring", "examples", "-o", "x"), 52),
    "orchestrate": (("orchestrate", "examples", "--as-of", DAY), 81),
    "orchestrate --engine athena": (
        ("orchestrate", "examples", "--as-of", DAY, "--engine", "athena"),
        103,
    ),
}
MOST_FILES, MEDIAN_LINES, MOST_LINES = 164, range(120, 191), 400
MOST_MODULES, MOST_VISITS = 20, 50


class Call(NamedTuple):
    """A call of a function of the package; `depth` is 0 for the command's function."""

    file: str
    function: str
    depth: int


@dataclass
class Profile:
    """The calls of a process into the package, for `sys.setprofile`."""

    package: str
    files: set[str] = field(default_factory=set)
    requests: list[list["Call"]] = field(default_factory=list)
    _depth: int = -1  # of the package's calls below the command's function, -1 outside of it
    _top: FrameType | None = None
    _main: int = field(default_factory=threading.get_ident)

    def __enter__(self) -> "Profile":
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code, caller = frame.f_code, frame.f_back
        if event not in ("call", "return") or not code.co_filename.startswith(self.package):
            return
        name = code.co_filename.removeprefix(self.package)
        is_main = threading.get_ident() == self._main
        if event == "call":
            if code.co_name != "<module>" and not (caller and caller.f_code.co_name == "<module>"):
                self.files.add(name)
            if is_main:
                self._enter(frame, name)
        elif is_main and self._depth >= 0:
            self._depth -= 1
            if frame is self._top:
                self._depth, self._top = -1, None

    def _enter(self, frame: FrameType, name: str) -> None:
        if self._depth >= 0:
            self._depth += 1
        elif name != WRAPPER and _is_called_as_command(frame):
            self.requests.append([])
            self._depth, self._top = 0, frame
        if self._depth >= 0 and not _is_while_importing(frame):
            self.requests[-1].append(Call(name, frame.f_code.co_qualname, self._depth))

    def request(self) -> list[Call]:
        """The calls of the command, in order."""
        longest = max(self.requests, key=len)  # options have functions that Typer calls, too
        return [call for call in longest if not _is_passed_over(call.file, call.function)]


def _is_called_as_command(frame: FrameType) -> bool:
    """Whether Typer has called a function, or what makes a command's options of its arguments."""
    caller = frame.f_back.f_code.co_filename if frame.f_back else ""
    return "/typer/" in caller or caller.endswith(f"/{WRAPPER}")


def _is_while_importing(frame: FrameType) -> bool:
    names = [frame.f_code.co_name]
    if frame.f_back:
        names.append(frame.f_back.f_code.co_name)
    return "<module>" in names


@functools.cache
def _is_passed_over(name: str, function: str) -> bool:
    """Whether a call is of a property, or of what a comprehension or lambda runs."""
    if function.endswith(">"):
        return True
    found: Any = sys.modules.get("healthpipe." + name.removesuffix(".py").replace("/", "."))
    for part in function.split("."):
        found = None if found is None else inspect.getattr_static(found, part, None)
    return isinstance(found, (property, functools.cached_property))


def record(tree: Path, argv: list[str]) -> None:
    """Run a command line in this process and print what it touched as JSON on standard error."""
    sys.path.insert(0, str(tree))
    sys.argv = ["healthpipe", *argv]
    code: object = 0
    profile = Profile(f"{tree / 'healthpipe'}/")
    with profile:
        try:
            runpy.run_module("healthpipe", run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    found = {"code": code, "files": sorted(profile.files), "request": profile.request()}
    print(f"\n{json.dumps(found)}", file=sys.stderr)


def walk(tree: Path, argv: tuple[str, ...], environment: dict[str, str]) -> dict[str, Any]:
    """What a command touches, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "examples").symlink_to(tree / "examples")
        command = [sys.executable, str(Path(__file__).resolve()), "--tree", str(tree), "--", *argv]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HEALTHPIPE_", "AWS_"))}
        ended = subprocess.run(
            command,
            cwd=folder,
            env=clean | {"HEALTHPIPE_CACHE": f"{folder}/cache"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    found: dict[str, Any] = json.loads(ended.stderr.splitlines()[-1])
    if found["code"]:
        raise SystemExit(ended.stderr)
    return found


@contextmanager
def aws_environment(tree: Path) -> Iterator[dict[str, str]]:
    """Run the local AWS of the tests with a bucket in it."""
    sys.path.insert(0, str(tree))
    with import_module("tests.local_aws").local_aws() as aws:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield {**aws.environment, "HEALTHPIPE_ROOT": f"s3://{BUCKET}/root"}


def print_sizes(tree: Path) -> None:
    """Print how many files the package has and how long they are."""
    lines = {
        path.relative_to(tree).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in (tree / "healthpipe").rglob("*.py")
    }
    longest = max(lines, key=lambda name: lines[name])
    print(f"{len(lines)} Python files (at most {MOST_FILES})")
    target = f"{MEDIAN_LINES.start} to {MEDIAN_LINES.stop - 1}"
    print(f"{statistics.median(lines.values()):.0f} lines in the median file ({target})")
    print(f"{lines[longest]} lines in the longest, {longest} (at most {MOST_LINES})")


def print_request(calls: list[Call]) -> None:
    """Print the modules and visits of a request, and what it comes back to."""
    visits = _visits(call.file for call in calls if call.depth <= DEEPEST)
    print(f"{len(visits)} modules in the request of a stage (at most {MOST_MODULES})")
    print(f"{visits.total()} visits of them (at most {MOST_VISITS})")
    often = ", ".join(f"{module} {number}" for module, number in visits.most_common(5))
    print(f"visited most often: {often}")
    whole = _visits(file for file, _ in dict.fromkeys(call[:2] for call in calls))
    print(f"{len(whole)} modules, {whole.total()} visits at all depths (54 and 147 before)")


def _visits(modules: Iterable[str]) -> Counter[str]:
    return Counter(module for module, _ in itertools.groupby(modules))


def main() -> None:
    """Print what the journeys touch."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=CHECKOUT, help="the checkout to look at")
    parser.add_argument("argv", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    tree = given.tree.resolve()
    if given.argv:
        record(tree, given.argv)
        return
    print_sizes(tree)
    for name, (argv, target) in JOURNEYS.items():
        if "athena" in argv:
            with aws_environment(tree) as environment:
                found = walk(tree, argv, environment)
        else:
            found = walk(tree, argv, {})
        print(f"{len(found['files'])} files touched by `{name}` (at most {target})")
        if name.startswith("filter"):
            print_request([Call(*call) for call in found["request"]])


if __name__ == "__main__":
    main()
