"""The tasks of the workflow file, done in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from healthpipe.alerts.channels import Channel, Message
from healthpipe.cancellation import Limit
from healthpipe.progress import NoProgress, Progress
from healthpipe.workflow.call_context import LocalContext
from healthpipe.workflow.lambda_handler import ERRORS, handler
from healthpipe.workflow.language.errors import StateFailed
from healthpipe.workflow.steps.catalog import STEPS

LAMBDA = "arn:aws:states:::lambda:invoke"
SNS = "arn:aws:states:::sns:publish"


@dataclass
class LocalTasks:
    """Calls the Lambda function's handler here, and the channel of alerts for a plain message.

    `raised` is what steps have raised, but for those of the failure branch, by the description
    that the workflow hands on.
    """

    channel: Callable[[], Channel]
    progress: Progress = field(default_factory=NoProgress)
    raised: dict[str, BaseException] = field(default_factory=dict)

    def call(self, resource: str, argument: Any, limit: Limit) -> Any:
        """The result of a task as Step Functions shows it. Raises `StateFailed`."""
        if resource == LAMBDA:
            return self._invoke(argument["Payload"], limit)
        if resource == SNS:
            return self._publish(argument)
        raise StateFailed("States.Runtime", f"there is no {resource} here")

    def _invoke(self, event: dict[str, Any], limit: Limit) -> dict[str, Any]:
        try:
            status = handler(event, LocalContext(limit, self.progress))
        except tuple(ERRORS.values()) as error:
            name = type(error).__name__
            if not STEPS[event["step"]].after_failure:
                self.raised[str(error)] = error.__cause__ or error
            cause = {"errorMessage": str(error), "errorType": name}
            raise StateFailed(name, json.dumps(cause)) from error
        return {"StatusCode": 200, "Payload": status}

    def _publish(self, argument: dict[str, Any]) -> dict[str, Any]:
        try:
            self.channel().send(Message(argument["Subject"], argument["Message"]))
        except Exception as error:
            raise StateFailed("Sns.SnsException", type(error).__name__) from error
        return {}
