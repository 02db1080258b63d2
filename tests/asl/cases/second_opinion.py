"""The cases, run by moto's Step Functions without waiting for anything."""

import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.program import program
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from tests.asl.cases.building import KNOWN, Echoes, Fails, Hangs
from tests.asl.cases.ours import Observed

CONFIG = {"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}}
ROLE = "arn:aws:iam::123456789012:role/role"
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
PATIENCE = 20
LONGEST = 99_999_999  # the TimeoutSeconds of a state that has none


class SecondOpinion:
    """Step Functions as moto plays it. One at a time: it patches moto."""

    def __init__(self):
        self._client = boto3.client("stepfunctions", **KEYS)
        self._number = 0
        self._scripts = {}
        self._delays = []
        self._hanging = threading.Event()
        self._released = threading.Event()
        self._ended = threading.Event()

    def refuses(self, machine):
        """Whether a definition cannot be made a state machine."""
        try:
            self._create(machine)
        except ClientError:
            return True
        return False

    def observe(self, case):
        """What comes of a case."""
        self._scripts = {name: list(outcomes) for name, outcomes in (KNOWN | case.tasks).items()}
        self._delays = []
        for event in (self._hanging, self._released, self._ended):
            event.clear()
        try:
            machine = self._create(case.machine)
        except ClientError:
            return Observed(error="refused")
        execution = self._client.start_execution(
            stateMachineArn=machine, name="nightly", input=json.dumps(case.data)
        )["executionArn"]
        is_over = self._ended.wait(PATIENCE)
        self._released.set()
        return self._described(execution) if is_over else Observed(error="never ends")

    def _create(self, machine):
        self._number += 1
        definition = json.dumps(machine)
        name = f"case-{self._number}"
        made = self._client.create_state_machine(name=name, definition=definition, roleArn=ROLE)
        return made["stateMachineArn"]

    def _described(self, execution):
        told = self._client.describe_execution(executionArn=execution)
        history = self._client.get_execution_history(executionArn=execution, maxResults=1000)
        entered = [event.get("stateEnteredEventDetails") for event in history["events"]]
        error = told.get("error")
        if told["status"] == "TIMED_OUT":
            error = "States.Timeout"
        elif told["status"] != "SUCCEEDED":
            error = error or told["status"]
        return Observed(
            output=_read(told["output"]) if error is None else None,
            error=error,
            path=[details["name"] for details in entered if details],
            delays=self._delays,
        )

    def invoke(self, function, body, headers):
        """What a function answers, as the case scripts it."""
        script = self._scripts[function.rpartition(":")[2]]
        match script.pop(0) if len(script) > 1 else script[0]:
            case Fails(error, cause):
                headers["x-amz-function-error"] = "Unhandled"
                return json.dumps({"errorType": error, "errorMessage": cause}).encode()
            case Hangs():
                self._hanging.set()
                self._released.wait(PATIENCE)
                return b'"too late"'
            case Echoes():
                return body.encode() if isinstance(body, str) else body
            case outcome:
                return json.dumps(outcome.value).encode()

    @contextmanager
    def patched(self):
        """Moto with these functions, and without waits."""
        opinion = self

        def invoke(_, function_name, __, body, ___, response_headers):
            return opinion.invoke(function_name, body, response_headers)

        def note(_, env, wait_seconds):
            opinion._delays.append(float(wait_seconds))

        def terminated(communication):
            reflect(communication)
            opinion._ended.set()

        class Event(threading.Event):
            """Ends a wait with a timeout as soon as a function hangs."""

            def wait(self, timeout=None):
                while not super().wait(0.002):
                    if timeout is not None and timeout < LONGEST and opinion._hanging.is_set():
                        opinion._hanging.clear()
                        return False
                return True

        class Thread(threading.Thread):
            """Is not joined any longer as soon as a function hangs, if there is a timeout."""

            def join(self, timeout=None):
                while self.is_alive() and not (timeout and opinion._hanging.is_set()):
                    super().join(0.002)

        sleeping = SimpleNamespace(sleep=lambda seconds: opinion._delays.append(float(seconds)))
        reflect = BaseExecutionWorkerCommunication.terminated
        with (
            patch.object(LambdaSimpleBackend, "invoke", invoke),
            patch.object(wait_function.WaitFunction, "_wait_interval", note),
            patch.object(BaseExecutionWorkerCommunication, "terminated", terminated),
            patch.object(retrier_decl, "time", sleeping),
            patch.object(execute_state, "threading", SimpleNamespace(Event=Event)),
            patch.object(program, "threading", SimpleNamespace(Thread=Thread)),
        ):
            yield self


def _read(output):
    """A document; moto writes a text as it is."""
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return output


@contextmanager
def step_functions():
    """A second opinion for as long as the block runs."""
    with mock_aws(config=CONFIG), SecondOpinion().patched() as opinion:
        yield opinion
