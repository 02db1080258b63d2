"""The commands about the workflow's definition."""

from typing import Any

import typer

from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import MANNER, declare

workflow = typer.Typer(
    no_args_is_help=True,
    help="Show and check the definition of the workflow.",
    epilog="Try: healthpipe workflow show, or healthpipe workflow show --format mermaid.",
)


def show(context: typer.Context, **given: Any) -> None:
    """Draw the states of the workflow and the ways between them.

    For example: healthpipe workflow show --format mermaid
    """
    from healthpipe.cli.run_workflow_definition import show_workflow

    show_workflow(given["workflow"], given["drawing"], OutputSettings.of(given))


def check(context: typer.Context, **given: Any) -> None:
    """Check that a workflow can run, and that it retries, ends and fails as it should.

    For example: healthpipe workflow check my.asl.json
    """
    from healthpipe.cli.run_workflow_definition import check_workflow

    check_workflow(given["workflow"], OutputSettings.of(given))


declare(show, ("workflow", "drawing", *MANNER))
declare(check, ("workflow", *MANNER))
workflow.command("show")(show)
workflow.command("check")(check)
