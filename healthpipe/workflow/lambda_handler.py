"""The Lambda function of the workflow: every Task calls it with the name of its step.

The local interpreter calls the same function in its own process.
"""

import json
from collections.abc import Mapping
from typing import Any

from healthpipe.errors import Interrupted, workflow_name_of
from healthpipe.runs.record import describe_error
from healthpipe.workflow.step_runner import LambdaContext, StepCall, run_step


class Transient(Exception):
    """Something outside failed; a retry may help."""


class GateFailed(Exception):
    """The data must not be published; a retry does not help."""


class Misconfigured(Exception):
    """The request or the configuration is wrong; a retry does not help."""


class Bug(Exception):
    """Our own mistake."""


# The names that the workflow's Retry and Catch compare; the handler raises no others.
ERRORS = {kind.__name__: kind for kind in (Transient, GateFailed, Misconfigured, Bug)}


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run `event["step"]` of the run of `event["execution"]`; returns its status.

    Raises one of `ERRORS`, whose message is the error's description as JSON.
    """
    try:
        return {"status": run_step(StepCall.from_event(event), context).value}
    except Interrupted:
        raise
    except Exception as error:
        raise ERRORS[workflow_name_of(error)](json.dumps(describe_error(error))) from error
