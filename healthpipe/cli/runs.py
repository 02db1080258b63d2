"""The commands about runs and what is live."""

from typing import Any

import typer

from healthpipe.cli.declared import MANNER, declare
from healthpipe.cli.shared import Manner

runs = typer.Typer(
    no_args_is_help=True,
    help="Make an earlier run live again, and remove what nobody needs.",
    epilog="Try: healthpipe runs prune --dry-run.",
)


def rollback(context: typer.Context, **given: Any) -> None:
    """Make a run that was published before the live one again.

    For example: healthpipe runs rollback
    """
    from healthpipe.cli.run_runs import roll_back

    roll_back(given["root"], given["published_run"], Manner.of(given))


def prune(context: typer.Context, **given: Any) -> None:
    """Remove old copies in production, old runs, and curated files that no run can use.

    For example: healthpipe runs prune --dry-run
    """
    from healthpipe.cli.run_runs import Pruning, prune_root

    pruning = Pruning(given["keep"], given["prune_days"], given["dry_run"])
    prune_root(given["root"], pruning, Manner.of(given))


declare(rollback, ("published_run", "root", *MANNER))
declare(prune, ("dry_run", "keep", "prune_days", "root", *MANNER))
runs.command("rollback")(rollback)
runs.command("prune")(prune)
