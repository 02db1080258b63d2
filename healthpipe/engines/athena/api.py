"""Waiting for something elsewhere, in a way that ends at once when the work is to end.

The calls of Athena's API, each tried again while Athena takes no more of them.

Where Athena keeps the results of queries: the workgroup, the user or the root says so.
"""

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from healthpipe.aws.errors import ErrorKind, error_kind, translate_error, translated_errors
from healthpipe.aws.session import AthenaSettings, Timeouts, client
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.engines.athena.errors import QueryExecution
from healthpipe.errors import OutOfTime, UsageError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import (
        GetQueryExecutionOutputTypeDef,
        GetQueryResultsOutputTypeDef,
        WorkGroupConfigurationOutputTypeDef,
    )


class Clock:
    """Monotonic seconds, and waits that a signal, a limit of the work or `cancel` breaks off."""

    def __init__(self) -> None:
        self._is_cancelled = False
        # Unlike an Event it may be used by a signal handler that interrupts the waiting thread.
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def cancel(self) -> None:
        """Make `wait` raise, now and from now on. Any thread, signal handlers too."""
        self._is_cancelled = True
        self._wakes.put(None)

    def raise_if_stopped(self) -> None:
        """Raise `Interrupted` or `OutOfTime` when the work is to end."""
        raise_if_cancelled()
        if self._is_cancelled:
            raise OutOfTime

    def wait(self, seconds: float) -> None:
        """Wait, and raise as `raise_if_stopped` does as soon as it would."""
        self.raise_if_stopped()
        with contextlib.suppress(Empty):
            self._wakes.get(timeout=seconds)
        self.raise_if_stopped()

    def sleep(self, seconds: float) -> None:
        """Wait for what has to be waited for though the work is to end."""
        time.sleep(seconds)


# A call that does not answer must not keep the process from ending in time: see queries.py.
WORKING = Timeouts(connect_s=5, read_s=20, attempts=4)
STOPPING = Timeouts(connect_s=2, read_s=3, attempts=2)
# On top of what botocore tries: for 25 queries at once are the account's quota.
TRIES = 6
LONGEST_BACKOFF_S = 20.0
SERVER_ERROR = 500
# An outage that a moment may end; of the rest, the same call would get the same answer.
_PASSING = {ErrorKind.THROTTLED, ErrorKind.UNREACHABLE, ErrorKind.BROKEN_TRANSFER}

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class AthenaApi:
    """Athena as one workgroup and database know it. `place` says where results are kept, as
    ResultConfiguration does; None where the workgroup says so.

    Failures are `UsageError` or `ServiceFailed`. `hurried` is a client that gives up soon.
    """

    athena: "AthenaClient"
    hurried: "AthenaClient"
    database: str
    workgroup: str
    clock: Clock
    place: dict[str, Any] | None = None
    random: Random = field(default_factory=Random)

    @classmethod
    def to(cls, settings: AthenaSettings, clock: Clock, place: dict[str, Any] | None) -> Self:
        """Calls with these settings."""
        working = client("athena", settings.access, WORKING)
        hurried = client("athena", settings.access, STOPPING)
        return cls(working, hurried, settings.database, settings.workgroup, clock, place)

    def start(self, text: str, token: str) -> str:
        """Start a query and return its id. The same token gives the same query."""
        request: dict[str, Any] = {
            "QueryString": text,
            "ClientRequestToken": token,
            "QueryExecutionContext": {"Database": self.database},
            "WorkGroup": self.workgroup,
        }
        if self.place:
            request["ResultConfiguration"] = self.place
        started = self._tried("StartQueryExecution", self.athena.start_query_execution, request)
        return started["QueryExecutionId"]

    def state(self, query_id: str) -> QueryExecution:
        """How a query stands."""
        request = {"QueryExecutionId": query_id}
        answer = self._tried("GetQueryExecution", self.athena.get_query_execution, request)
        return _ended(query_id, answer)

    def state_now(self, query_id: str) -> QueryExecution | None:
        """As `state`, asked once: the process may be ending. None for what nobody knows."""
        from botocore.exceptions import ClientError

        with translated_errors("athena:GetQueryExecution", query_id):
            try:
                answer = self.hurried.get_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if error_kind(error) is not ErrorKind.INVALID:
                    raise
                return None
        return _ended(query_id, answer)

    def stop(self, query_id: str) -> None:
        """Ask a query to end. One that has ended, and one that nobody knows, stay as they are."""
        from botocore.exceptions import ClientError

        with translated_errors("athena:StopQueryExecution", query_id):
            try:
                self.hurried.stop_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if error_kind(error) is not ErrorKind.INVALID:
                    raise

    def results(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of a query's result."""
        more: dict[str, str] = {}
        while True:
            request = {"QueryExecutionId": query_id, **more}
            page = self._tried("GetQueryResults", self.athena.get_query_results, request)
            yield page
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def _tried(self, action: str, call: Callable[..., Answer], request: dict[str, Any]) -> Answer:
        """The answer of a call, made again with growing pauses while the failure may pass."""
        from botocore.exceptions import BotoCoreError, ClientError

        for number in range(TRIES):
            self.clock.raise_if_stopped()
            try:
                return call(**request)
            except (BotoCoreError, ClientError) as error:
                failed = error
            # A signal that came during the call looks like a broken connection.
            self.clock.raise_if_stopped()
            if not _may_pass(failed) or number == TRIES - 1:
                break
            self.clock.wait(self.random.uniform(0.5, 1) * min(2.0**number, LONGEST_BACKOFF_S))
        raise translate_error(failed, f"athena:{action}", f"workgroup {self.workgroup}") from failed


def _may_pass(error: Exception) -> bool:
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_kind(error) in _PASSING or status >= SERVER_ERROR


def _ended(query_id: str, answer: "GetQueryExecutionOutputTypeDef") -> QueryExecution:
    execution = answer["QueryExecution"]
    status = execution.get("Status", {})
    error = status.get("AthenaError", {})
    return QueryExecution(
        query_id,
        status.get("State", "QUEUED"),
        execution.get("Statistics", {}).get("DataScannedInBytes", 0),
        status.get("StateChangeReason", "") or error.get("ErrorMessage", ""),
        may_be_retried=error.get("Retryable", False),
        age_s=_age_s(status.get("SubmissionDateTime")),
    )


def _age_s(submitted: datetime.datetime | None) -> float:
    if submitted is None:
        return 0.0
    return (datetime.datetime.now(datetime.UTC) - submitted).total_seconds()


def workgroup(settings: AthenaSettings) -> "WorkGroupConfigurationOutputTypeDef":
    """What a workgroup says of its queries. Raises `UsageError` where it can run none, and
    `ServiceFailed`.
    """
    from botocore.exceptions import ClientError

    name = settings.workgroup
    athena = client("athena", settings.access, WORKING)
    with translated_errors("athena:GetWorkGroup", f"workgroup {name}"):
        try:
            group = athena.get_work_group(WorkGroup=name)["WorkGroup"]
        except ClientError as error:
            if error_kind(error) is not ErrorKind.INVALID:
                raise
            raise UsageError(
                f"there is no workgroup {name} in {athena.meta.region_name}",
                "create it, or give another --workgroup",
            ) from error
    if group.get("State") == "DISABLED":
        raise UsageError(
            f"the workgroup {name} is disabled", "enable it, or give another --workgroup"
        )
    known = group.get("Configuration", {})
    if is_enforced(known) and not (has_managed_results(known) or output_location(known)):
        raise UsageError(
            f"the workgroup {name} enforces its settings and has no place for results",
            "set its query result location, or give another --workgroup",
        )
    return known


def has_managed_results(known: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether Athena keeps the results itself."""
    return known.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)


def is_enforced(known: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether a workgroup overrides what queries ask for."""
    return known.get("EnforceWorkGroupConfiguration", False)


def output_location(known: "WorkGroupConfigurationOutputTypeDef") -> str | None:
    """Where a workgroup has results kept, if it says so."""
    return known.get("ResultConfiguration", {}).get("OutputLocation")


def result_configuration(settings: AthenaSettings, default: str) -> dict[str, Any] | None:
    """The ResultConfiguration of the workgroup's queries; None where it takes none.

    A workgroup whose settings are enforced overrides any, one whose results Athena manages refuses
    any. Else it is `settings.output`, what the workgroup says, or the folder `default` on S3.
    Raises what `workgroup` does.
    """
    known = workgroup(settings)
    if (
        has_managed_results(known)
        or is_enforced(known)
        or (output_location(known) and not settings.output)
    ):
        return None
    return _configuration(settings, settings.output or default)


def _configuration(settings: AthenaSettings, location: str) -> dict[str, Any]:
    place: dict[str, Any] = {"OutputLocation": f"{location.rstrip('/')}/"}
    if settings.access.kms_key:
        place["EncryptionConfiguration"] = {
            "EncryptionOption": "SSE_KMS",
            "KmsKey": settings.access.kms_key,
        }
    if settings.access.bucket_owner:
        place["ExpectedBucketOwner"] = settings.access.bucket_owner
    return place
