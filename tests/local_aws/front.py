"""The one door: each request is logged, may meet a fault, and goes to moto or to our Athena."""

import json
import threading
from collections.abc import Iterable
from typing import Any, Protocol

from tests.local_aws import answers
from tests.local_aws.answers import Environ, StartResponse
from tests.local_aws.calls import Call, call_of
from tests.local_aws.faults import Failure, Faults

ACCOUNT = "123456789012"
NOT_OWNED = Failure("AccessDenied", "Access Denied", 403)
# Trino calls these on writes; moto does not know them.
UNKNOWN_TO_MOTO = {
    f"{verb}ColumnStatisticsFor{of}"
    for verb in ("Update", "Delete")
    for of in ("Table", "Partition")
}


class Refused(Exception):
    """A call that the service refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class AthenaApi(Protocol):
    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What an action answers. Raises `Refused`."""


class Control(Protocol):
    def control(self, path: str, method: str, asked: dict[str, Any]) -> Any:
        """What is asked of the endpoint itself, below `/_`."""


class Front:
    """A WSGI application in front of moto's."""

    def __init__(self, moto: Any, athena: AthenaApi, faults: Faults, control: Control) -> None:
        self._moto, self._athena, self._faults, self._control = moto, athena, faults, control
        self._lock = threading.Lock()
        self.calls: list[Call] = []

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_"):
            return self._controlled(path, environ, start)
        call = call_of(environ)
        # What Trino itself asks of S3 and Glue is Athena's own business.
        if "aws-sdk-java" in environ.get("HTTP_USER_AGENT", ""):
            return self._carried_out(call, environ, start)
        with self._lock:
            self.calls.append(call)
        error = self._faults.answer(call)
        if error:
            _read_whole(environ)
            return answers.failure(start, call, error)
        lost_by = self._faults.loss(call)
        if lost_by:
            b"".join(self._carried_out(call, environ, lambda *_, **__: None))
            if lost_by == "drop":
                return answers.dropped(environ)
            error = Failure("InternalError", "We encountered an internal error", 500)
            return answers.failure(start, call, error)
        return self._carried_out(call, environ, start)

    def _carried_out(self, call: Call, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        if call.service == "glue" and call.action in UNKNOWN_TO_MOTO:
            return answers.document(start, {})
        if call.owner and call.owner != ACCOUNT:  # moto takes any
            _read_whole(environ)
            return answers.failure(start, call, NOT_OWNED)
        if call.service != "athena":
            application: Iterable[bytes] = self._moto(environ, start)
            return application
        try:
            return answers.document(start, self._athena.answer(call.action, call.document))
        except Refused as error:
            return answers.failure(start, call, Failure(error.code, error.message))

    def _controlled(self, path: str, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            asked = json.loads(text or b"{}")
            found = self._control.control(path, environ["REQUEST_METHOD"], asked)
        except (LookupError, TypeError, ValueError) as error:
            return answers.document(start, {"error": str(error)}, 400, "application/json")
        return answers.document(start, found, content_type="application/json")


def _read_whole(environ: Environ) -> None:
    """Take in what a refused request still sends: an unread body would spoil the connection."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        stream.read(int(length))
    elif environ.get("wsgi.input_terminated"):
        stream.read()
