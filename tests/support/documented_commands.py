"""Run the commands that documents show, and compare their output with what is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# What differs from one run to the next, and what stands for it. A run keeps its number in a
# document, so that a command that names a run shown before is run with the one of today.
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
CHANGING = {
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ| UTC)": "<time>",
    r"\b\d+\.\d s\b": "<seconds> s",
    r"\b((\d+ min )?\d+ s|\d+ min) ago": "<span> ago",
    r"ended ((\d+ min )?\d+ s|\d+ min)\b": "ended <span>",
    r"took ((\d+ min )?\d+ s|\d+ min)\b": "took <span>",
    r"\t((\d+ min )?\d+ s|\d+ min)\t": "\t<span>\t",
    r"\b\d+ days old": "<days> days old",
    r"root: .*/": "root: <folder>/",
    r"--root /.*/": "--root <folder>/",
}


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document of the project."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def normalized(text: str, known: list[str]) -> str:
    """Replace run ids, times and folders by placeholders.

    `known` numbers the run ids, and learns new ones.
    """
    known.extend(dict.fromkeys(run for run in RUN_ID.findall(text) if run not in known))
    text = RUN_ID.sub(lambda match: f"<run {known.index(match[0]) + 1}>", text)
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    return text


def run(command: str, folder: Path) -> str:
    """Run a command line with a shell, and return standard output and error as they came."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def shown_and_printed(document: str, folder: Path) -> tuple[list[str], list[str]]:
    """The console blocks of a document, as shown and as their commands print them now."""
    shown: list[str] = []
    printed: list[str] = []
    seen: list[str] = []
    runs: list[str] = []
    for block in blocks(document, "console"):
        for call in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = call.partition("\n")
            own = RUN_ID.sub(lambda match: runs[seen.index(match[0])], command)
            shown.append(f"$ {normalized(command, seen)}\n{normalized(output, seen)}")
            printed.append(f"$ {normalized(own, runs)}\n{normalized(run(own, folder), runs)}")
    return shown, printed
