"""Why a query ended without a result: whether trying again helps, and what there is to do.

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
_CUT_OFF = r"[Bb]ytes scanned limit|data usage control"
# Trino's HiveErrorCode, and what Java says of a gzip that is none or ends too early.
_FILES = (
    r"HIVE_CANNOT_OPEN_SPLIT|HIVE_CURSOR_ERROR|HIVE_BAD_DATA|HIVE_FILESYSTEM_ERROR|"
    r"HIVE_FILE_NOT_FOUND|HIVE_UNKNOWN_ERROR|NoSuchKey|ZipException|EOFException|"
    r"not in gzip format|incorrect header check|[Uu]nexpected end of"
)
# These come of the statement alone, before data is read.
_OF_STATEMENT = (
    r"SYNTAX_ERROR|TYPE_MISMATCH|FUNCTION_NOT_FOUND|COLUMN_NOT_FOUND|TABLE_NOT_FOUND|"
    r"SCHEMA_NOT_FOUND|AMBIGUOUS_NAME|MISSING_COLUMN_NAME|NOT_SUPPORTED|INVALID_ARGUMENTS"
)
_URI = re.compile(r"s3[an]?://[^\s'\"(),;\]]+")
_CODE = re.compile(r"^(?:\[?ErrorCode: ?)?([A-Z]+(?:_[A-Z]+)+)\b")
_PLACE = re.compile(r"\bline \d+:\d+")


class BrokenQuery(HealthpipeError):
    """Athena refused a statement of ours, or could not run it: a bug."""


@dataclass(frozen=True)
class QueryExecution:
    """How a query ended, in one of Athena's states, with its reason where it did not succeed.

    One that has not ended was submitted `age_s` seconds ago.
    """

    id: str
    state: str
    bytes_scanned: int = 0
    reason: str = ""
    may_be_retried: bool = False
    age_s: float = 0.0


class FilesUnreadable(ServiceFailed):
    """A query could not read a file: one of `uris`, where the reason names any."""

    def __init__(self, message: str, uris: Sequence[str]) -> None:
        super().__init__(message, "run again; `healthpipe doctor` checks access to the files")
        self.uris = tuple(uris)


def is_transient(ended: QueryExecution) -> bool:
    """Whether the same query may succeed when it is started anew."""
    if ended.state != "FAILED" or _says(ended, _DENIED, _NO_BUCKET):
        return False
    if _says(ended, *_TRANSIENT):
        return True
    # Athena's own word (AthenaError.Retryable), but for what the same files would do again.
    return ended.may_be_retried and not _says(ended, _FILES, _TIMED_OUT)


def query_error(ended: QueryExecution) -> HealthpipeError:
    """The error for a query that did not succeed, in one line without values of records."""
    what, told = f"Athena's query {ended.id}", _told(ended.reason)
    if ended.state == "CANCELLED":
        return _cancelled(ended, what)
    for pattern, tell in _TOLD:
        if _says(ended, pattern):
            return tell(ended, what, told)
    if ended.may_be_retried:
        return _passing(ended, what, told)
    return BrokenQuery(f"{what} failed ({told})", "this is a bug; please report it")


def _cancelled(ended: QueryExecution, what: str) -> HealthpipeError:
    if _says(ended, _CUT_OFF):
        return UsageError(
            f"{what} scanned more bytes than its workgroup allows",
            "raise the workgroup's limit per query, or give another --workgroup",
        )
    return ServiceFailed(f"{what} was cancelled by somebody else", "run again")


def _refused(ended: QueryExecution, what: str, _: str) -> HealthpipeError:
    action, resource = _denied(ended.reason, _uris(ended.reason))
    return UsageError(f"{what} was refused {action} on {resource}", f"allow {action} on {resource}")


def _without_bucket(_: QueryExecution, what: str, told: str) -> HealthpipeError:
    return UsageError(f"{what} found no bucket ({told})", "create it, or correct its name")


def _passing(_: QueryExecution, what: str, told: str) -> HealthpipeError:
    return ServiceFailed(f"{what} failed ({told})", "run again later")


def _timed_out(_: QueryExecution, what: str, told: str) -> HealthpipeError:
    return ServiceFailed(f"{what} took longer than Athena allows ({told})", "run again later")


def _unreadable(ended: QueryExecution, what: str, told: str) -> HealthpipeError:
    return FilesUnreadable(f"{what} could not read a file ({told})", _uris(ended.reason))


# The first that the reason says is what happened.
_TOLD: tuple[tuple[str, Callable[[QueryExecution, str, str], HealthpipeError]], ...] = (
    (_DENIED, _refused),
    (_NO_BUCKET, _without_bucket),
    ("|".join(_TRANSIENT), _passing),
    (_TIMED_OUT, _timed_out),
    (_FILES, _unreadable),
)


def _says(ended: QueryExecution, *patterns: str) -> bool:
    return any(re.search(pattern, ended.reason) for pattern in patterns)


def _told(reason: str) -> str:
    """What may be shown of a reason."""
    text = " ".join(reason.split())
    if re.match(rf"(?:{_OF_STATEMENT})\b", text):
        return text[:MAX_MESSAGE]
    known = (match.group() for p in _TRANSIENT for match in re.finditer(p, text))
    parts = [*_CODE.findall(text), *known, *_PLACE.findall(text), *_uris(text)]
    return ", ".join(dict.fromkeys(parts))[:MAX_MESSAGE] or "it gave no known reason"


def _uris(reason: str) -> list[str]:
    return [uri.rstrip(".:") for uri in _URI.findall(reason)]


def _denied(reason: str, uris: Sequence[str]) -> tuple[str, str]:
    """The action that was refused and its resource, as well as the reason tells them."""
    action = re.search(r"perform: ([\w:]+)", reason)
    resource = re.search(r"on resource: ([^\s()]+)", reason)
    if "Lake Formation" in reason:
        return "a Lake Formation permission", "a table or its location"
    named = resource.group(1).rstrip(".,") if resource else uris[0] if uris else "its files"
    return action.group(1) if action else "s3:GetObject", named
