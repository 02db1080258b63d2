"""The calls of Athena's API, each tried again while Athena takes no more of them."""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from healthpipe.aws.access import AthenaSettings
from healthpipe.aws.errors import Kind, failures_told, kind_of, translated
from healthpipe.aws.session import Patience, client
from healthpipe.engines.athena.clock import Clock
from healthpipe.engines.athena.errors import Ended

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import (
        GetQueryExecutionOutputTypeDef,
        GetQueryResultsOutputTypeDef,
    )

# A call that does not answer must not keep the process from ending in time: see queries.py.
WORKING = Patience(connect_seconds=5, read_seconds=20, attempts=4)
STOPPING = Patience(connect_seconds=2, read_seconds=3, attempts=2)
# On top of what botocore tries: for 25 queries at once are the account's quota.
TRIES = 6
LONGEST_BACKOFF_S = 20.0
SERVER_ERROR = 500
# An outage that a moment may end; of the rest, the same call would get the same answer.
_PASSING = {Kind.THROTTLED, Kind.UNREACHABLE, Kind.BROKEN_TRANSFER}

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Calls:
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

    def state(self, query_id: str) -> Ended:
        """How a query stands."""
        request = {"QueryExecutionId": query_id}
        answer = self._tried("GetQueryExecution", self.athena.get_query_execution, request)
        return _ended(query_id, answer)

    def state_now(self, query_id: str) -> Ended | None:
        """As `state`, asked once: the process may be ending. None for what nobody knows."""
        from botocore.exceptions import ClientError

        with failures_told("athena:GetQueryExecution", query_id):
            try:
                answer = self.hurried.get_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if kind_of(error) is not Kind.INVALID:
                    raise
                return None
        return _ended(query_id, answer)

    def stop(self, query_id: str) -> None:
        """Ask a query to end. One that has ended, and one that nobody knows, stay as they are."""
        from botocore.exceptions import ClientError

        with failures_told("athena:StopQueryExecution", query_id):
            try:
                self.hurried.stop_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if kind_of(error) is not Kind.INVALID:
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
        raise translated(failed, f"athena:{action}", f"workgroup {self.workgroup}") from failed


def _may_pass(error: Exception) -> bool:
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return kind_of(error) in _PASSING or status >= SERVER_ERROR


def _ended(query_id: str, answer: "GetQueryExecutionOutputTypeDef") -> Ended:
    execution = answer["QueryExecution"]
    status = execution.get("Status", {})
    error = status.get("AthenaError", {})
    return Ended(
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
