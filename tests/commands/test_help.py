"""Help: options in groups, the rare ones with --help-all, and an example for each command."""

import re

import pytest

from healthpipe.cli.app import command_line

SCREEN = 24  # lines of a terminal as old as any


def test_the_help_of_a_command_with_many_options_groups_them(cli):
    panels = {
        "orchestrate": [
            "What counts",
            "What is published",
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


@pytest.mark.parametrize("columns", [80, 100])
def test_the_help_of_orchestrate_fits_two_screens(cli, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert len(cli("orchestrate", "--help").out.splitlines()) <= 2 * SCREEN


def commands(group, *path):
    """List the words of every command with its options; of groups those of their commands."""
    for name in group.commands:
        command = group.load(name) if hasattr(group, "load") else group.commands[name]
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield [*path, name], {flag for each in command.params for flag in each.opts}


COMMANDS = list(commands(command_line()))
AWS_FLAGS = {"--region", "--profile", "--kms-key", "--bucket-owner", "--workgroup", "--database"}


@pytest.mark.parametrize(("words", "flags"), COMMANDS, ids=[" ".join(each[0]) for each in COMMANDS])
def test_options_for_aws_and_rare_ones_are_shown_with_help_all(cli, monkeypatch, words, flags):
    monkeypatch.setenv("COLUMNS", "120")
    shown = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", cli(*words, "--help").out))
    assert not AWS_FLAGS & shown
    assert "--help-all" in shown
    everything = cli(*words, "--help-all")
    assert everything.code == 0
    options = {flag for flag in flags if flag.startswith("-")}
    assert options <= set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", everything.out))


def test_a_flag_is_not_shown_as_if_it_took_a_value(cli):
    line = next(line for line in cli("status", "--help").out.splitlines() if "--quiet" in line)
    assert "bool" not in line


def test_the_commands_have_an_example(cli):
    for command in (["status"], ["runs", "list"], ["runs", "show"], ["runs", "retry"]):
        words = " ".join(command)
        assert f"For example: healthpipe {words}" in cli(*command, "--help").out


@pytest.mark.parametrize("command", ["list", "show", "export", "replay"])
def test_help_has_an_example(cli, command):
    assert (
        f"For example: healthpipe quarantine {command}" in cli("quarantine", command, "--help").out
    )
