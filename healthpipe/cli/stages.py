"""The commands that run stages: one for each, and orchestrate for those that are published."""

from collections.abc import Callable
from typing import Any

import typer

from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import (
    ALERTS,
    ATHENA,
    AWS,
    CONDUCT,
    GATES,
    MANNER,
    MEANING,
    PUBLISHING,
    RECORDS,
    RESULT,
    ROOT,
    declare,
)
from healthpipe.stages.catalog import Stage

PUBLISHED_TAKE = (*MEANING, "include_zero", "spreadsheet_safe")


def stage_command(stage: Stage) -> Callable[..., None]:
    """The command of a stage: the options of all stages, and those that it takes."""

    def command(context: typer.Context, **given: Any) -> None:
        from healthpipe.cli.dry_run import show_stage_plan
        from healthpipe.cli.run_stage import StageCommand

        manner, sources = OutputSettings.of(given), given["sources"] or []
        chosen = StageCommand.of(stage, context, given)
        if given["dry_run"]:
            show_stage_plan(chosen.request(sources), manner)
        else:
            chosen.run(sources, manner)

    command.__doc__ = f"{stage.summary}\n\nFor example: {stage.example}"
    declare(command, (*ROOT, *RECORDS, *stage.options, *RESULT, "dry_run", *AWS, *ATHENA, *MANNER))
    return command


def orchestrate(context: typer.Context, **given: Any) -> None:
    """Run all stages and publish their results.

    For example: healthpipe orchestrate --quiet
    """
    from healthpipe.cli.dry_run import show_workflow_plan
    from healthpipe.cli.orchestrate import RunSettings, run_workflow
    from healthpipe.cli.workflow_request import workflow_request

    request, execution = workflow_request(context, given)
    if given["dry_run"]:
        show_workflow_plan(request, execution, OutputSettings.of(given))
        return
    conduct = RunSettings(given["lock_wait"], given["heartbeat_url"])
    run_workflow(request, execution, conduct, OutputSettings.of(given))


declare(
    orchestrate,
    (
        *ROOT, *RECORDS, *PUBLISHED_TAKE, *GATES, *PUBLISHING, *ALERTS, *CONDUCT, "dry_run",
        *AWS, *ATHENA, *MANNER,
    ),
)  # fmt: skip
