"""Errors of queries that did not succeed, whether a retry helps, and what there is to do.

Athena's text (StateChangeReason) may quote values of records, so it is never passed on whole: an
error's code, places in our SQL and URIs of files are all that is kept of it, but for the errors
that come before any data is read.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from healthpipe.errors import HealthpipeError, ServiceFailed, UsageError

MAX_MESSAGE = 400

# What may be gone the next time, and no more. The words are those of Athena's own documentation:
# "Prevent Amazon S3 throttling" (SlowDown, 503), "Troubleshoot issues in Athena" (internal error:
# submit the query again), re:Post's "Query exhausted resources" (retry with a backoff), and what
# S3 and Glue answer an engine that calls them too often. GENERIC_INTERNAL_ERROR is not among them:
# it stands for errors of types and files as well.
_TRANSIENT = (
    r"SlowDown|reduce your request rate|Status ?Code: 503|503 Service Unavailable",
    r"Query exhausted resources at this scale factor",
    r"INTERNAL_ERROR_QUERY_ENGINE|experienced an internal error|Internal service error",
    r"too many errors talking to a worker node|ABANDONED_QUERY|NO_NODES_AVAILABLE",
    r"[Tt]hrottl|Rate exceeded|TooManyRequests",
    r"Connection reset|Connection refused|Read timed out|Unable to execute HTTP request",
)
_DENIED = r"Access ?Denied|AccessDenied|not authorized to perform|PERMISSION_DENIED|Insufficient \
(?:Lake Formation )?[Pp]ermission|Status ?Code: 403|not able to assume role|KMS\.\w*Exception"
_NO_BUCKET = r"NoSuchBucket|bucket does not exist"
_TIMED_OUT = r"Query timeout|EXCEEDED_TIME_LIMIT|timed out|DML query timeout"
_SCAN_LIMIT = r"[Bb]ytes scanned limit|data usage control"
# Trino's HiveErrorCode, and what Java says of a gzip that is none or ends too early.
_UNREADABLE_FILE = (
    r"HIVE_CANNOT_OPEN_SPLIT|HIVE_CURSOR_ERROR|HIVE_BAD_DATA|HIVE_FILESYSTEM_ERROR|"
    r"HIVE_FILE_NOT_FOUND|HIVE_UNKNOWN_ERROR|NoSuchKey|ZipException|EOFException|"
    r"not in gzip format|incorrect header check|[Uu]nexpected end of"
)
# These come of the statement alone, before data is read.
_STATEMENT_ERRORS = (
    r"SYNTAX_ERROR|TYPE_MISMATCH|FUNCTION_NOT_FOUND|COLUMN_NOT_FOUND|TABLE_NOT_FOUND|"
    r"SCHEMA_NOT_FOUND|AMBIGUOUS_NAME|MISSING_COLUMN_NAME|NOT_SUPPORTED|INVALID_ARGUMENTS"
)
_URI = re.compile(r"s3[an]?://[^\s'\"(),;\]]+")
_CODE = re.compile(r"^(?:\[?ErrorCode: ?)?([A-Z]+(?:_[A-Z]+)+)\b")
_POSITION = re.compile(r"\bline \d+:\d+")


class BrokenQuery(HealthpipeError):
    """Athena refused a statement of ours, or could not run it: a bug."""


@dataclass(frozen=True)
class QueryExecution:
    """A query's state, one of Athena's, and `reason` (StateChangeReason) where it did not succeed.

    It was submitted `age_s` seconds ago. `is_retryable` is Athena's AthenaError.Retryable.
    """

    id: str
    state: str
    bytes_scanned: int = 0
    reason: str = ""
    is_retryable: bool = False
    age_s: float = 0.0


class FilesUnreadable(ServiceFailed):
    """A query could not read a file: one of `uris`, where the reason names any."""

    def __init__(self, message: str, uris: Sequence[str]) -> None:
        super().__init__(message, "run again, or check with doctor who may read the files")
        self.uris = tuple(uris)


def is_transient(ended: QueryExecution) -> bool:
    """Whether a query failed for a reason that may be gone when it is started anew."""
    if ended.state != "FAILED" or _matches(ended, _DENIED, _NO_BUCKET):
        return False
    if _matches(ended, *_TRANSIENT):
        return True
    # Athena's own word (AthenaError.Retryable), but for what the same files would do again.
    return ended.is_retryable and not _matches(ended, _UNREADABLE_FILE, _TIMED_OUT)


def query_error(ended: QueryExecution) -> HealthpipeError:
    """The `HealthpipeError` of a query that did not succeed, without values of records."""
    query, reason = f"Athena's query {ended.id}", _safe_reason(ended.reason)
    if ended.state == "CANCELLED":
        return _cancelled(ended, query)
    for pattern, make_error in _ERRORS_BY_REASON:
        if _matches(ended, pattern):
            return make_error(ended, query, reason)
    if ended.is_retryable:
        return _transient(ended, query, reason)
    return BrokenQuery(f"{query} failed ({reason})", "this is a bug; please report it")


def _cancelled(ended: QueryExecution, query: str) -> HealthpipeError:
    if _matches(ended, _SCAN_LIMIT):
        return UsageError(
            f"{query} scanned more bytes than its workgroup allows",
            "raise the workgroup's limit per query, or give another --workgroup",
        )
    return ServiceFailed(f"{query} was cancelled by somebody else", "run again")


def _access_denied(ended: QueryExecution, query: str, _: str) -> HealthpipeError:
    action, resource = _denied_action(ended.reason, _uris(ended.reason))
    return UsageError(
        f"{query} was refused {action} on {resource}", f"allow {action} on {resource}"
    )


def _no_bucket(_: QueryExecution, query: str, reason: str) -> HealthpipeError:
    return UsageError(f"{query} found no bucket ({reason})", "create it, or correct its name")


def _transient(_: QueryExecution, query: str, reason: str) -> HealthpipeError:
    return ServiceFailed(f"{query} failed ({reason})", "run again later")


def _timed_out(_: QueryExecution, query: str, reason: str) -> HealthpipeError:
    return ServiceFailed(f"{query} took longer than Athena allows ({reason})", "run again later")


def _unreadable(ended: QueryExecution, query: str, reason: str) -> HealthpipeError:
    return FilesUnreadable(f"{query} could not read a file ({reason})", _uris(ended.reason))


# Patterns of reasons with their errors; the first that matches counts.
_ERRORS_BY_REASON: tuple[tuple[str, Callable[[QueryExecution, str, str], HealthpipeError]], ...] = (
    (_DENIED, _access_denied),
    (_NO_BUCKET, _no_bucket),
    ("|".join(_TRANSIENT), _transient),
    (_TIMED_OUT, _timed_out),
    (_UNREADABLE_FILE, _unreadable),
)


def _matches(ended: QueryExecution, *patterns: str) -> bool:
    """Whether one of the patterns is found in the reason."""
    return any(re.search(pattern, ended.reason) for pattern in patterns)


def _safe_reason(reason: str) -> str:
    """The parts of a reason that hold no values of records: codes, positions in SQL and URIs."""
    text = " ".join(reason.split())
    if re.match(rf"(?:{_STATEMENT_ERRORS})\b", text):
        return text[:MAX_MESSAGE]
    known = (match.group() for p in _TRANSIENT for match in re.finditer(p, text))
    parts = [*_CODE.findall(text), *known, *_POSITION.findall(text), *_uris(text)]
    return ", ".join(dict.fromkeys(parts))[:MAX_MESSAGE] or "it gave no known reason"


def _uris(reason: str) -> list[str]:
    return [uri.rstrip(".:") for uri in _URI.findall(reason)]


def _denied_action(reason: str, uris: Sequence[str]) -> tuple[str, str]:
    """The IAM action that was denied and its resource, as far as the reason names them."""
    action = re.search(r"perform: ([\w:]+)", reason)
    resource = re.search(r"on resource: ([^\s()]+)", reason)
    if "Lake Formation" in reason:
        return "a Lake Formation permission", "a table or its location"
    named = resource.group(1).rstrip(".,") if resource else uris[0] if uris else "its files"
    return action.group(1) if action else "s3:GetObject", named
