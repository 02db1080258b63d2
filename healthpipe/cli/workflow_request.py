"""From a command's options to the request that starts a run of the workflow."""

from collections.abc import Mapping
from typing import Any

import typer

from healthpipe.cli.signature import GATES
from healthpipe.cli.stage_options import option_words
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest

AS_THEY_ARE = (
    "root", "engine", "as_of", "accept_drop", "force", "keep", "sns_topic", "region", "profile",
    "kms_key", "bucket_owner",
    "database", "workgroup", "athena_output", "max_bytes_scanned", "notify_success",
)  # fmt: skip


def workflow_request(
    context: typer.Context, given: Mapping[str, Any]
) -> tuple[RunRequest, Execution]:
    """What a command was given, and a new execution for it. Raises `UsageError`."""
    execution = Execution.now()
    request = RunRequest(
        sources=tuple(given["sources"] or ()),
        words=option_words(context, given),
        gates={name: given[name] for name in GATES},
        **{name: given[name] for name in AS_THEY_ARE},
    )
    request.require_valid(execution.start.date())
    return request, execution
