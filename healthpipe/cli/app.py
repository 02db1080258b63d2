"""The application, and the one place where errors become a line and an exit code."""

import json
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

import healthpipe
from healthpipe.cancellation import interrupted_by_signals
from healthpipe.choices import LogFormat
from healthpipe.cli.alert import alert
from healthpipe.cli.console import say_error, start_logging
from healthpipe.cli.current import current
from healthpipe.cli.describe import describe
from healthpipe.cli.doctor import doctor
from healthpipe.cli.generate import generate_data
from healthpipe.cli.quarantine import quarantine
from healthpipe.cli.runs import runs
from healthpipe.cli.shared import current_output_settings, reset_output_settings
from healthpipe.cli.sql import sql
from healthpipe.cli.stages import orchestrate, stage_command
from healthpipe.cli.status import status
from healthpipe.cli.streams import drop_unwritten, occupy_standard_streams
from healthpipe.cli.workflow import workflow
from healthpipe.errors import UsageError, exit_code_of
from healthpipe.stages.catalog import STAGES

app = typer.Typer(
    name="healthpipe",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which accreditations of your healthcare facilities lapse soon, and how many accredited"
    " facilities each state has.",
    epilog="Try: healthpipe generate-data --n 1000, then healthpipe orchestrate."
    " Options can also be set as HEALTHPIPE_... in the environment and in healthpipe.toml.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"healthpipe {healthpipe.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None: ...


for stage in STAGES.values():
    app.command(stage.name)(stage_command(stage))
app.command("orchestrate")(orchestrate)
app.command("status")(status)
app.command("current")(current)
app.command("describe")(describe)
app.command("doctor")(doctor)
app.command("generate-data")(generate_data)
app.command("alert")(alert)
app.add_typer(sql, name="sql")
app.add_typer(quarantine, name="quarantine")
app.add_typer(runs, name="runs")
app.add_typer(workflow, name="workflow")


def run() -> None:
    """Run the command line of this process and end it with the contract's exit code."""
    occupy_standard_streams()  # before any file is opened
    try:
        # Typer would end a command that Ctrl-C meets early without a word.
        with interrupted_by_signals():
            start_logging(LogFormat.TEXT, quiet=False)
            reset_output_settings()
            code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output has seen enough
        code = 0
    except SystemExit as stop:
        # What Typer makes of a broken pipe, also if told to leave errors alone.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        code = 0
    except TyperException as error:
        if not _plain_message(error):  # no command: the help was shown
            sys.exit(2)
        code = _report(UsageError(_plain_message(error), _help_hint()))
    except typer.Abort as stop:
        cause = stop.__cause__  # Typer takes the end of any file for that of a user's input
        code = _report(cause if isinstance(cause, EOFError) else stop)
    except Exception as error:
        code = _report(error)
    drop_unwritten()
    sys.exit(code)


def _report(error: Exception) -> int:
    from healthpipe.runs.record import describe_error

    drop_unwritten()  # what was printed stands before the error
    manner = current_output_settings()
    if manner.debug:
        import traceback

        traceback.print_exception(error)
    description = describe_error(error)
    say_error(description)
    if manner.json:
        document = {"schema_version": 1, "command": _command(), "status": "failed"}
        details = dict(getattr(error, "details", {}))
        typer.echo(json.dumps(document | details | {"error": description}))
    return exit_code_of(error)


def _plain_message(error: TyperException) -> str:
    format_message = getattr(error, "format_message", None)
    text = str(format_message() if format_message else error)
    return " ".join(text.replace("Value error, ", "").split()).rstrip(".")


def _help_hint() -> str:
    command = f"healthpipe {_command() or ''}".strip()
    return f"see `{command} --help`"


def _command() -> str | None:
    """The command that the user named, if there is one of that name; in a group both words."""
    groups = {info.name: info.typer_instance for info in app.registered_groups}
    names = {info.name for info in app.registered_commands} | set(groups)
    words: list[str] = []
    for word in sys.argv[1:]:
        if word not in names:
            break
        words.append(word)
        group = groups.get(word)
        names = {info.name for info in group.registered_commands} if group else set()
    return " ".join(words) or None
