"""The README's commands, run; its output, compared."""

import re

import pytest

from tests.support.documented_commands import PROJECT, blocks, run, shown_and_printed

README = (PROJECT / "README.md").read_text(encoding="utf-8")
SHELL = blocks("README.md", "sh")


def test_the_shown_output_is_what_the_commands_print(examples, tmp_path):
    shown, printed = shown_and_printed("README.md", tmp_path)

    assert len(shown) >= 6
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
    script = (PROJECT / ".ci" / "run").read_text()

    assert SHELL[1].strip() in script


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(name):
    assert (PROJECT / name).exists()
