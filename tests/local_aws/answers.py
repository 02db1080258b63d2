"""Errors and documents in the words of each service's protocol."""

import json
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from tests.local_aws.calls import Call
from tests.local_aws.faults import Failure

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


def document(
    start: StartResponse, content: Any, status: int = 200, content_type: str | None = None
) -> Iterable[bytes]:
    """Answer with JSON."""
    text = json.dumps(content).encode()
    return _send(start, text, status, content_type or "application/x-amz-json-1.1")


def failure(start: StartResponse, call: Call, error: Failure) -> Iterable[bytes]:
    """Answer with an error as the called service writes it."""
    code, message = escape(error.code), escape(error.message)
    if call.service == "s3":
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
            f"<Message>{message}</Message><BucketName>{escape(call.bucket or '')}</BucketName>"
            f"<RequestId>{uuid4().hex}</RequestId></Error>"
        )
        # The answer to a HEAD has no body: boto3 knows the status alone.
        body = b"" if call.action.startswith("Head") else text.encode()
        return _send(start, body, error.status, "application/xml")
    if call.service in {"sns", "sts"}:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>{uuid4()}</RequestId></ErrorResponse>"
        )
        return _send(start, text.encode(), error.status, "text/xml")
    spoken = {"__type": error.code, "message": error.message, "Message": error.message}
    return document(start, spoken, error.status)


def dropped(environ: Environ) -> Iterable[bytes]:
    """Close the connection without an answer."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def _send(start: StartResponse, body: bytes, status: int, content_type: str) -> Iterable[bytes]:
    start(
        f"{status} {HTTPStatus(status).phrase}",
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", str(uuid4())),
        ],
    )
    return [body]
