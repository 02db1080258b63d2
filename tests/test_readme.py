"""The README's commands, run; its output, compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"^```console\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
SHELL = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
CHANGING = {
    r"\d{8}T\d{6}Z-[0-9a-f]{6}": "<run id>",
    r"\d+\.\d s\b": "<seconds> s",
}


def steady(text: str) -> str:
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    return text


def run(command: str, folder: Path) -> str:
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


def test_the_shown_output_is_what_the_commands_print(examples, tmp_path):
    assert len(CONSOLE) >= 6
    shown, printed = [], []
    for block in CONSOLE:
        for call in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = call.partition("\n")
            shown.append((command, steady(output)))
            printed.append((command, steady(run(command, tmp_path))))

    assert printed == shown


def test_the_first_command_publishes_the_examples(examples, tmp_path):
    command = SHELL[0].strip().rpartition(" && ")[2].removeprefix(".venv/bin/")

    output = run(command, tmp_path)

    assert "published run" in output
    assert (tmp_path / "data" / "production" / "current.json").is_file()


def test_the_two_commands_are_one_line_each():
    assert len(SHELL) == 2
    assert all(len(block.splitlines()) == 1 for block in SHELL)


def test_ci_runs_the_second_command():
    script = (Path(__file__).parents[1] / ".ci" / "run").read_text()

    assert SHELL[1].strip() in script


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(name):
    assert (Path(__file__).parents[1] / name).exists()
