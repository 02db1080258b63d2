"""What a request asks for: told from its headers and path, as AWS tells it."""

import io
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote

SERVICES_OF_TARGETS = {"AmazonAthena": "athena", "AWSGlue": "glue", "AmazonSQS": "sqs"}
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Call:
    """A call of an action. `document` is what a service that speaks JSON or forms was sent."""

    service: str
    action: str
    bucket: str | None = None
    key: str | None = None
    is_conditional: bool = False
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    is_first_try: bool = True
    # The account that has to own the bucket.
    owner: str | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def resource(self) -> str:
        """The ARN of what it is about, as an error message names it."""
        if self.service == "s3":
            return f"arn:aws:s3:::{self.bucket or '*'}" + (f"/{self.key}" if self.key else "")
        if self.service == "sns":
            return str(self.document.get("TopicArn", "*"))
        if self.service == "athena":
            return f"arn:aws:athena:us-east-1:123456789012:workgroup/{self._workgroup}"
        return f"arn:aws:{self.service}:us-east-1:123456789012:*"

    @property
    def _workgroup(self) -> str:
        return str(self.document.get("WorkGroup", "primary"))


def call_of(environ: dict[str, Any]) -> Call:
    """The call that a request makes. The request's body can still be read afterwards."""
    # boto3 says in this header how often it has sent a request.
    is_first_try = "attempt=1" in environ.get("HTTP_AMZ_SDK_REQUEST", "attempt=1").split("; ")
    return replace(_call_of(environ), is_first_try=is_first_try)


def _call_of(environ: dict[str, Any]) -> Call:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, _, action = target.rpartition(".")
        text = _body(environ)
        service = SERVICES_OF_TARGETS.get(prefix.split("_")[0], prefix.lower())
        return Call(service, action, document=json.loads(text or b"{}"))
    service = _signed_for(environ)
    if service != "s3" and environ.get("CONTENT_TYPE", "").startswith(FORM):
        sent = {name: values[0] for name, values in parse_qs(_body(environ).decode()).items()}
        return Call(service, sent.get("Action", ""), document=sent)
    if service != "s3":
        return Call(service, environ.get("PATH_INFO", "").lstrip("/"))
    bucket, _, key = _raw_path(environ).lstrip("/").partition("/")
    return Call(
        "s3",
        _s3_action(environ, bucket, key),
        unquote(bucket) or None,
        unquote(key) or None,
        is_conditional="HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ,
        owner=environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"),
    )


def _signed_for(environ: dict[str, Any]) -> str:
    scope = environ.get("HTTP_AUTHORIZATION", "").split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else "s3"


def _raw_path(environ: dict[str, Any]) -> str:
    return str(environ.get("RAW_URI", environ.get("PATH_INFO", ""))).partition("?")[0]


def _body(environ: dict[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _s3_action(environ: dict[str, Any], bucket: str, key: str) -> str:
    method, asked = environ["REQUEST_METHOD"], parse_qs(environ["QUERY_STRING"], True)
    if not bucket:
        return "ListBuckets"
    verbs = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete", "POST": "Post"}
    if not key:
        return _bucket_action(method, asked, verbs)
    copied = "HTTP_X_AMZ_COPY_SOURCE" in environ
    of_upload = {
        "PUT": "UploadPartCopy" if copied else "UploadPart",
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
    }
    if "uploadId" in asked and method in of_upload:
        return of_upload[method]
    if method == "POST" and "uploads" in asked:
        return "CreateMultipartUpload"
    if method == "PUT" and copied:
        return "CopyObject"
    return f"{verbs.get(method, method)}Object{_subresource(asked)}"


def _bucket_action(method: str, asked: dict[str, list[str]], verbs: dict[str, str]) -> str:
    if method == "POST" and "delete" in asked:
        return "DeleteObjects"
    if method == "GET" and "uploads" in asked:
        return "ListMultipartUploads"
    if method == "GET" and "list-type" in asked:
        return "ListObjectsV2"
    what = _subresource(asked)
    if method == "GET" and not what:
        return "ListObjects"
    verb = "Create" if method == "PUT" and not what else verbs.get(method, method)
    return f"{verb}Bucket{what}"


def _subresource(asked: dict[str, list[str]]) -> str:
    known = ("location", "policy", "versioning", "encryption", "lifecycle", "tagging", "acl")
    return next((name.capitalize() for name in known if name in asked), "")
