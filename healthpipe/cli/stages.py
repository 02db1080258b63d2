"""The commands that run stages: one for each, and orchestrate for those that are published."""

from collections.abc import Callable
from typing import Any

import typer

from healthpipe.cli.aws_options import root_of
from healthpipe.cli.declared import (
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
from healthpipe.cli.shared import Manner, Place
from healthpipe.stages.view import Stage

PUBLISHED_TAKE = (*MEANING, "include_zero", "spreadsheet_safe")


def stage_command(stage: Stage) -> Callable[..., None]:
    """The command of a stage: the options of all stages, and those that it takes."""

    def command(context: typer.Context, **given: Any) -> None:
        from healthpipe.cli.run_stage import StageCommand
        from healthpipe.cli.stage_options import stage_options

        manner, place = Manner.of(given), Place(given["output"], given["format"], stage.is_folder)
        options = stage_options(context, given)
        StageCommand(stage, root_of(given), given["engine"], options, place).run(
            given["sources"] or [], manner
        )

    command.__doc__ = f"{stage.summary}\n\nFor example: {stage.example}"
    declare(command, (*ROOT, *RECORDS, *stage.takes, *RESULT, *AWS, *MANNER))
    return command


def orchestrate(context: typer.Context, **given: Any) -> None:
    """Run all stages and publish their results.

    For example: healthpipe orchestrate --quiet
    """
    from healthpipe.cli.run_workflow import Conduct, run_workflow
    from healthpipe.cli.workflow_request import workflow_request

    request, execution = workflow_request(context, given)
    conduct = Conduct(given["lock_wait"], given["heartbeat_url"])
    run_workflow(request, execution, conduct, Manner.of(given))


declare(
    orchestrate,
    (
        *ROOT, *RECORDS, *PUBLISHED_TAKE, *GATES, *PUBLISHING, *ALERTS, *CONDUCT, *AWS, *ATHENA,
        *MANNER,
    ),
)  # fmt: skip
