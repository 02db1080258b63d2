"""Settings come from the flag, else the environment, else the file, else the default."""

import ast
import subprocess
import sys

import pytest

from healthpipe.cli.app import COMMANDS, command_line
from healthpipe.cli.config import ONE_CALL as ONE_CALL_FLAGS
from tests.conftest import AS_OF


@pytest.fixture
def call(cli, examples):
    """The window that a call of filter-expiring used: how many records it kept."""

    def rows(*arguments):
        outcome = cli("filter-expiring", "examples", "--as-of", AS_OF, "--json", *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.document["output"]["rows"]

    return rows


@pytest.fixture
def by_months(call):
    return {months: call("--months", str(months)) for months in (0, 1, 3, 6)}


def test_explicit_wins(call, by_months, tmp_path, monkeypatch):
    assert len(set(by_months.values())) == 4
    assert call() == by_months[6]

    (tmp_path / "healthpipe.toml").write_text("months = 3\n")
    assert call() == by_months[3]

    monkeypatch.setenv("HEALTHPIPE_MONTHS", "1")
    assert call() == by_months[1]

    assert call("--months", "0") == by_months[0]


def test_a_file_named_outright_is_read_instead(call, by_months, tmp_path):
    (tmp_path / "healthpipe.toml").write_text("months = 3\n")
    (tmp_path / "other.toml").write_text("[filter-expiring]\nmonths = 1\n[extract]\nformat='csv'\n")

    assert call("--config", "other.toml") == by_months[1]


@pytest.mark.parametrize(
    "text",
    ["mnths = 3\n", "[filter-expiring]\nfirst-accreditation = 'listed'\n", "[nothing]\nx = 1\n"],
    ids=["at the top", "in the table of another command", "in a table of no command"],
)
def test_an_unknown_key_is_refused(cli, examples, tmp_path, text):
    (tmp_path / "healthpipe.toml").write_text(text)

    outcome = cli("filter-expiring", "examples")

    assert outcome.code == 2
    assert "unknown keys" in outcome.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["months = \n", "months = 1000\n", "months = 'six'\n"])
def test_a_file_with_a_wrong_value_is_refused(cli, examples, tmp_path, text):
    (tmp_path / "healthpipe.toml").write_text(text)

    outcome = cli("filter-expiring", "examples")

    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("MONTHS", "abc", "filter-expiring examples"),
        ("ENGINE", "spark", "extract examples"),
        ("AS_OF", "tomorrow", "orchestrate examples"),
        ("MAX_DROP", "x", "orchestrate examples"),
        ("BUCKET_OWNER", "1", "runs list"),
        ("PRUNE_DAYS", "-1", "runs prune"),
    ],
)
def test_a_wrong_value_of_the_environment_names_its_variable(
    cli, examples, monkeypatch, name, value, command
):
    monkeypatch.setenv(f"HEALTHPIPE_{name}", value)

    outcome = cli(*command.split())

    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"healthpipe: HEALTHPIPE_{name} in the environment: ")


@pytest.mark.parametrize(
    ("text", "key", "command"),
    [
        ("months = 'three'", "months", "filter-expiring examples"),
        ("as-of = 'soon'", "as-of", "extract examples"),
        ("[orchestrate]\nmax-drop = 'x'", "orchestrate.max-drop", "orchestrate examples"),
        ("[runs]\nlimit = 0", "runs.limit", "runs list"),
        ("[runs.prune]\ndays = -1", "runs.prune.days", "runs prune"),
        ("[rules]\nblue = 'warn'", "rules.blue", "extract examples"),
        ("[gates]\nblue = '1%'", "gates.blue", "orchestrate examples"),
        ("[unpack]\nblue = 1", "unpack.blue", "extract examples"),
        ("[rules]\nnot_json = 'off'", "rules.not_json", "orchestrate examples"),
        ("days = 3\n[filter-expiring]\nmonths = 3", "months", "filter-expiring examples"),
    ],
)
def test_a_wrong_value_of_the_file_names_the_file_and_its_key(
    cli, examples, tmp_path, text, key, command
):
    (tmp_path / "site.toml").write_text(text)

    outcome = cli(*command.split(), "--config", "site.toml")

    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert f"{key} in site.toml" in line.split(": ")[1]


def test_a_wrong_value_of_a_flag_is_not_blamed_on_the_environment(cli, examples, monkeypatch):
    monkeypatch.setenv("HEALTHPIPE_MONTHS", "abc")
    assert "HEALTHPIPE" not in cli("filter-expiring", "examples", "--months", "six").err


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HEALTHPIPE_MOTHS", "did you mean HEALTHPIPE_MONTHS?"),
        ("HEALTHPIPE_MAX_DROPS", "did you mean HEALTHPIPE_MAX_DROP?"),
        ("HEALTHPIPE_ACCEPT", "--accept is given on the command line only, for one call"),
        ("HEALTHPIPE_DRY_RUN", "--dry-run is given on the command line only, for one call"),
        ("HEALTHPIPE_XYZZY", "settings are named as options: --as-of as HEALTHPIPE_AS_OF"),
    ],
)
def test_a_variable_that_sets_nothing_is_warned_of(cli, tmp_path, monkeypatch, name, hint):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv(name, "3")

    outcome = cli("runs", "list", "--quiet")

    assert outcome.code == 0
    assert outcome.err == f"healthpipe: {name} in the environment sets nothing; {hint}\n"


def test_variables_that_set_something_are_not_warned_of(cli, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    for name in ("CACHE_BYTES", "MAX_DROP", "PRUNE_DAYS"):
        monkeypatch.setenv(f"HEALTHPIPE_{name}", "5")
    assert cli("runs", "list", "--quiet").err == ""


def test_keys_may_have_dashes_or_underscores(call, by_months, tmp_path):
    (tmp_path / "healthpipe.toml").write_text("include-expired = true\n")
    with_dash = call()
    (tmp_path / "healthpipe.toml").write_text("include_expired = true\n")

    assert call() == with_dash > by_months[6]


def test_months_in_the_file_yield_to_days_on_the_command_line(call, tmp_path):
    alone = call("--days", "10")
    (tmp_path / "healthpipe.toml").write_text("months = 6\n")

    assert call("--days", "10") == alone


ONE_CALL = {
    "accept-drop": "orchestrate",
    "force": "orchestrate",
    "dry-run": "runs.prune",
    "all": "runs.list",
    "reason": "quarantine.show",
    "run": "quarantine.export",
    "test": "alert",
}


@pytest.mark.parametrize("key", ONE_CALL)
def test_what_is_meant_for_one_call_is_no_standing_order(cli, examples, tmp_path, key):
    for place in ("", f"[{ONE_CALL[key]}]\n"):
        (tmp_path / "healthpipe.toml").write_text(f"{place}{key} = true\n")
        outcome = cli("orchestrate", "examples")
        assert outcome.code == 2
        assert f"{key};" in outcome.err
        assert "on the command line" in outcome.err


@pytest.mark.parametrize("flag", sorted(ONE_CALL_FLAGS - {"--config", "--help"}))
def test_nor_does_the_environment_give_it(flag):
    def below(command):
        for each in getattr(command, "commands", {}).values():
            yield from below(each)
        yield from command.params

    everything = command_line()
    everything.load_all()
    found = [each for each in below(everything) if flag in each.opts]
    assert found
    assert [each.envvar for each in found] == [None] * len(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_commands_says_what_that_of_each_does(name):
    summary = COMMANDS[name][1]
    command = command_line().load(name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == summary


def test_the_commands_are_imported_when_they_are_called():
    code = (
        "import sys; from healthpipe.cli.app import command_line, run; command_line();"
        "print([name for name in sys.modules if name.startswith('healthpipe.cli.')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert set(ast.literal_eval(loaded)) == {
        f"healthpipe.cli.{name}" for name in ("app", "console", "lazy")
    }
