"""The command line: its commands by name, and the one place where errors become an exit code.

Commands are imported when they are called, and Typer only when it is needed.
"""

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import healthpipe
from healthpipe.cancellation import interrupted_by_signals
from healthpipe.choices import LogFormat
from healthpipe.cli.console import (
    current_output_settings,
    log_error,
    start_logging,
    use_output_settings,
)
from healthpipe.errors import UsageError, exit_code_of

if TYPE_CHECKING:
    from healthpipe.cli.lazy import LazyGroup

HELP = (
    "Which accreditations of your healthcare facilities lapse soon, and how many accredited"
    " facilities each state has."
)
EPILOG = (
    "Try: healthpipe generate-data --n 1000, then healthpipe orchestrate."
    " Options can also be set as HEALTHPIPE_... in the environment and in healthpipe.toml."
)
# Each command and group: its module:name to import, and the first line of its help.
COMMANDS = {
    "extract": ("stages:extract", "Show the key figures of each facility."),
    "filter-expiring": (
        "stages:filter_expiring",
        "Keep the records with an accreditation that expires soon, as they came.",
    ),
    "state-counts": ("stages:state_counts", "Count the accredited facilities of each state."),
    "normalize": (
        "stages:normalize",
        "Write the records as five flat tables to join, in one folder.",
    ),
    "expiry-calendar": (
        "stages:expiry_calendar",
        "Count the accreditations that expire in each month, by accrediting body.",
    ),
    "orchestrate": ("orchestrate:orchestrate", "Run all stages and publish their results."),
    "status": (
        "status:status",
        "Tell what is live, how the last run ended, and with --max-age whether it is too old.",
    ),
    "current": (
        "current:current",
        "Show where the live published files are, or with -o - what is in one.",
    ),
    "describe": ("describe:describe", "Tell the columns, types and meaning of each output."),
    "doctor": (
        "doctor:doctor",
        "Look whether everything is there that a run needs, and say how to repair what is not.",
    ),
    "generate-data": (
        "generate:generate_data",
        "Write synthetic records; the same options give the same bytes.",
    ),
    "alert": (
        "alert:alert",
        "Send a test message where the alerts of runs go, and say where that is.",
    ),
    "sql": ("stages:sql", "Print the statements of a stage, exactly as they would run."),
    "quarantine": (
        "quarantine:quarantine",
        "List, show, export and replay the lines that a run rejected.",
    ),
    "runs": (
        "runs:runs",
        "List, show, resume and roll back runs, and remove what nobody needs.",
    ),
    "workflow": ("workflow:workflow", "Show and check the definition of the workflow."),
}


def run() -> None:
    """Run the command line of this process and end it with the contract's exit code."""
    occupy_standard_streams()  # before any file is opened
    try:
        code = _run_and_report()
    finally:
        drop_unwritten()
    sys.exit(code)


def _run_and_report() -> int:
    """Run the command, report its error if it has one, and return the exit code."""
    try:
        # Typer would end a command that Ctrl-C meets early without a word.
        with interrupted_by_signals():
            start_logging(LogFormat.TEXT, quiet=False)
            use_output_settings(None)
            code = _run_command()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output has seen enough
        return 0
    except SystemExit as stop:
        # What Typer makes of a broken pipe, also if it is to leave errors alone.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return 0
    except Exception as error:
        return _handle_error(error)
    return code


def _run_command() -> int:
    if sys.argv[1:] == ["--version"]:  # what scripts ask for often; the rest is Typer's to parse
        print_version()
        return 0
    code: int | None = command_line()(standalone_mode=False)
    return code or 0


def print_version() -> None:
    """Print the version of the package."""
    print(f"healthpipe {healthpipe.__version__}")


def command_line() -> "LazyGroup":
    """Build the group of all commands, none of them imported yet."""
    from typing import Annotated, ClassVar

    import typer
    from typer.main import get_command

    from healthpipe.cli.lazy import LazyCommand, LazyGroup

    class CommandLine(LazyGroup):
        table: ClassVar = {
            name: LazyCommand(f"healthpipe.cli.{path}", summary)
            for name, (path, summary) in COMMANDS.items()
        }

    application = typer.Typer(
        name="healthpipe",
        cls=CommandLine,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=HELP,
        epilog=EPILOG,
    )

    def show_version(is_given: bool) -> None:
        if is_given:
            print_version()
            raise typer.Exit

    @application.callback()
    def root(
        _: Annotated[
            bool,
            typer.Option(
                "--version", callback=show_version, is_eager=True, help="Show the version and stop."
            ),
        ] = False,
    ) -> None: ...

    return cast("LazyGroup", get_command(application))


def _handle_error(error: Exception) -> int:
    """Report an error and return its exit code, also those that Typer raises."""
    import typer
    from typer.exceptions import TyperException

    if isinstance(error, TyperException):
        message = _plain_message(error)
        if not message:  # no command: the help was shown
            sys.exit(2)
        from healthpipe.cli.config import with_places

        return _report(UsageError(with_places(message), _help_hint()))
    if isinstance(error, typer.Abort) and isinstance(error.__cause__, EOFError):
        return _report(error.__cause__)  # Typer takes the end of any file for that of its input
    if isinstance(error, UsageError):
        from healthpipe.cli.config import with_places

        error.message = with_places(error.message)
    return _report(error)


def _report(error: Exception) -> int:
    drop_unwritten()  # what was printed stands before the error
    with suppress(OSError):  # nobody reads it: the exit code alone tells
        _print_error(error)
    return exit_code_of(error)


def _print_error(error: Exception) -> None:
    """Print an error as the command's options want it: as a line, JSON or with its traceback."""
    from healthpipe.runs.record import describe_error

    settings = current_output_settings()
    if settings.debug:
        import traceback

        traceback.print_exception(error)
    description = describe_error(error)
    log_error(description)
    if settings.json:
        document = {"schema_version": 1, "command": _command_name(), "status": "failed"}
        details = dict(getattr(error, "details", {}))
        print(json.dumps(document | details | {"error": description}))


def _plain_message(error: Exception) -> str:
    format_message = getattr(error, "format_message", None)
    text = str(format_message() if format_message else error)
    return " ".join(text.replace("Value error, ", "").split()).rstrip(".")


def _help_hint() -> str:
    command = f"healthpipe {_command_name() or ''}".strip()
    return f"see `{command} --help`"


def _command_name() -> str | None:
    """Return the command that the user named, if there is one; in a group both words."""
    group: Any = command_line()
    words: list[str] = []
    for word in sys.argv[1:]:
        if word not in getattr(group, "commands", {}):
            break
        words.append(word)
        group = group.load(word) if len(words) == 1 else None
    return " ".join(words) or None


def occupy_standard_streams() -> None:
    """Keep files that are opened from taking the place of a standard stream that is closed.

    Standard error stays none: what it was to take, such as an alert, was not taken.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            if name != "stderr":
                setattr(sys, name, os.fdopen(number, "w" if name == "stdout" else "r"))


def drop_unwritten() -> None:
    """Flush the standard streams; drop what cannot be written, or Python would exit with 120."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
