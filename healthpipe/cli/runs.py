"""The commands about runs and what they published."""

from typing import Any

import typer

from healthpipe.cli.aws_options import root_of
from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import AWS, MANNER, declare

# What a run may be gone on with though it was asked for without it.
CHANGEABLE = ("accept_drop", "max_bytes_scanned")

runs = typer.Typer(
    no_args_is_help=True,
    help="List, show, go on with and roll back runs, and remove what nobody needs.",
    epilog="Try: healthpipe runs list, then healthpipe runs show.",
)


def list_(context: typer.Context, **given: Any) -> None:
    """List the runs of the workflow, the newest first.

    For example: healthpipe runs list --limit 5
    """
    from healthpipe.cli.run_records import list_runs

    list_runs(root_of(given), given["limit"], OutputSettings.of(given), with_stages=given["all_"])


def show(context: typer.Context, **given: Any) -> None:
    """Show what became of a run: its steps, gates, alerts and errors.

    For example: healthpipe runs show --json | jq .steps
    """
    from healthpipe.cli.run_records import show_run

    show_run(root_of(given), given["any_run"], OutputSettings.of(given))


def retry(context: typer.Context, **given: Any) -> None:
    """Go on with a run that failed, from the step that failed, and publish it.

    For example: healthpipe runs retry
    """
    from healthpipe.cli.run_records import RetryRequest, retry_run

    changes = {name: given[name] for name in CHANGEABLE if given[name]}
    retrying = RetryRequest(given["any_run"], changes, given["lock_wait"])
    retry_run(root_of(given), retrying, OutputSettings.of(given))


def rollback(context: typer.Context, **given: Any) -> None:
    """Make a run that was published before the live one again.

    For example: healthpipe runs rollback
    """
    from healthpipe.cli.run_runs import roll_back

    roll_back(root_of(given), given["published_run"], given["lock_wait"], OutputSettings.of(given))


def prune(context: typer.Context, **given: Any) -> None:
    """Remove old copies in production, old runs, and curated files that no run can use.

    For example: healthpipe runs prune --dry-run
    """
    from healthpipe.cli.run_runs import PruneRequest, prune_root

    kept = (given["keep"], given["prune_days"])
    pruning = PruneRequest(*kept, given["dry_run"], given["lock_wait"])
    prune_root(root_of(given), pruning, OutputSettings.of(given))


declare(list_, ("root", "limit", "all_", *AWS, *MANNER))
declare(show, ("any_run", "root", *AWS, *MANNER))
declare(retry, ("any_run", "root", *CHANGEABLE, "lock_wait", *AWS, *MANNER))
declare(rollback, ("published_run", "root", "lock_wait", *AWS, *MANNER))
declare(prune, ("dry_run", "keep", "prune_days", "root", "lock_wait", *AWS, *MANNER))
runs.command("list")(list_)
runs.command("show")(show)
runs.command("retry")(retry)
runs.command("rollback")(rollback)
runs.command("prune")(prune)
