"""The commands about the lines that a run rejected."""

from typing import Any

import typer

from healthpipe.cli.shared import OutputSettings, OutputTarget
from healthpipe.cli.signature import AWS, MANNER, declare

LINES = ("root", "reason", "source")

quarantine = typer.Typer(
    no_args_is_help=True,
    help="List, show, export and replay the lines that a run rejected.",
    epilog="Try: healthpipe quarantine list, then healthpipe quarantine show --reason not_json.",
)


def list_(context: typer.Context, **given: Any) -> None:
    """Count the rejected lines of a run, by reason or by file.

    For example: healthpipe quarantine list --by file
    """
    from healthpipe.cli.run_quarantine import QuarantineQuery, list_lines

    list_lines(QuarantineQuery.of(given), given["by"], OutputSettings.of(given))


def show(context: typer.Context, **given: Any) -> None:
    """Show the rejected lines as they came, where they stand, and all their reasons.

    For example: healthpipe quarantine show --reason not_json --limit 5
    """
    from healthpipe.cli.run_quarantine import QuarantineQuery, show_lines

    show_lines(QuarantineQuery.of(given), given["limit"], OutputSettings.of(given))


def export(context: typer.Context, **given: Any) -> None:
    """Write the rejected lines to a file, to be mended in an editor and replayed.

    For example: healthpipe quarantine export -o mend.ndjson
    """
    from healthpipe.cli.run_quarantine import QuarantineQuery, export_lines

    place, with_resolved = OutputTarget(given["output"]), given["with_resolved"]
    export_lines(
        QuarantineQuery.of(given), place, OutputSettings.of(given), with_resolved=with_resolved
    )


def replay(context: typer.Context, **given: Any) -> None:
    """Add mended lines to the raw files, and note which rejected lines they answer.

    For example: healthpipe quarantine replay mend.ndjson
    """
    from healthpipe.cli.run_quarantine import QuarantineQuery, replay_file

    replay_file(QuarantineQuery.of(given), given["mended"], OutputSettings.of(given))


declare(list_, ("run_id", "by", *LINES, *AWS, *MANNER))
declare(show, ("run_id", "limit", *LINES, *AWS, *MANNER))
declare(export, ("run_id", *LINES, "with_resolved", "output", *AWS, *MANNER))
declare(replay, ("mended", "run", *LINES, *AWS, *MANNER))
quarantine.command("list")(list_)
quarantine.command("show")(show)
quarantine.command("export")(export)
quarantine.command("replay")(replay)
