"""Help: options in groups, and an example for each command."""

import pytest


def test_the_help_of_a_command_with_many_options_groups_them(cli):
    panels = {
        "orchestrate": [
            "What counts",
            "The result",
            "What is published",
            "Who is told",
            "Messages",
        ],
        "extract": ["What counts", "The result", "Messages"],
        "status": [],
    }
    for command, titles in panels.items():
        titled = [line for line in cli(command, "--help").out.splitlines() if line.startswith("╭")]
        found = [line.strip("╭─╮ ") for line in titled]
        assert [title for title in found if title in titles] == titles
        assert ("Messages" in found) == bool(titles)


def test_the_commands_have_an_example(cli):
    for command in (["status"], ["runs", "list"], ["runs", "show"], ["runs", "retry"]):
        words = " ".join(command)
        assert f"For example: healthpipe {words}" in cli(*command, "--help").out


@pytest.mark.parametrize("command", ["list", "show", "export", "replay"])
def test_help_has_an_example(cli, command):
    assert (
        f"For example: healthpipe quarantine {command}" in cli("quarantine", command, "--help").out
    )
