"""Athena's API: each call is retried while Athena throttles it or cannot be reached.

Where Athena keeps the results of queries is resolved here, once: see `result_configuration`.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from healthpipe.aws.errors import ErrorKind, error_kind, translate_error, translated_errors
from healthpipe.aws.session import AthenaSettings, Timeouts, client
from healthpipe.cancellation import Clock
from healthpipe.engines.athena.errors import QueryExecution
from healthpipe.errors import UsageError
from healthpipe.retry import Backoff, attempts, retry

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import (
        GetQueryExecutionOutputTypeDef,
        GetQueryResultsOutputTypeDef,
        ResultConfigurationTypeDef,
        WorkGroupConfigurationOutputTypeDef,
    )

# A call that does not answer must not keep the process from ending in time: see queries.py.
WORKING = Timeouts(connect_s=5, read_s=20, attempts=4)
STOPPING = Timeouts(connect_s=2, read_s=3, attempts=2)
# On top of what botocore retries: for 25 queries at once are the account's quota.
ATTEMPTS = 6
BACKOFF = Backoff(first_s=1.0, max_s=20.0)
SERVER_ERROR = 500
# An outage that a moment may end; of the rest, the same call would get the same answer.
_TRANSIENT = {ErrorKind.THROTTLED, ErrorKind.UNREACHABLE, ErrorKind.BROKEN_TRANSFER}

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class AthenaApi:
    """Calls of Athena for one workgroup and database.

    `result_configuration` says where Athena keeps results; None where the workgroup does.
    `stop_client` gives up soon, for calls while the process ends. Every method raises `UsageError`
    and `ServiceFailed`; those that retry also `Interrupted` and `OutOfTime`.
    """

    client: "AthenaClient"
    stop_client: "AthenaClient"
    database: str
    workgroup: str
    clock: Clock
    result_configuration: "ResultConfigurationTypeDef | None" = None
    random: Random = field(default_factory=Random)

    @classmethod
    def open(
        cls,
        settings: AthenaSettings,
        clock: Clock,
        result_configuration: "ResultConfigurationTypeDef | None" = None,
    ) -> Self:
        """Create the clients for these settings."""
        working = client("athena", settings.access, WORKING)
        stopping = client("athena", settings.access, STOPPING)
        return cls(
            working, stopping, settings.database, settings.workgroup, clock, result_configuration
        )

    def start(self, text: str, token: str) -> str:
        """Start a query and return its id. The same ClientRequestToken gives the same query."""
        request: dict[str, Any] = {
            "QueryString": text,
            "ClientRequestToken": token,
            "QueryExecutionContext": {"Database": self.database},
            "WorkGroup": self.workgroup,
        }
        if self.result_configuration:
            request["ResultConfiguration"] = self.result_configuration
        answer = self._call("StartQueryExecution", self.client.start_query_execution, request)
        return answer["QueryExecutionId"]

    def execution(self, query_id: str) -> QueryExecution:
        """Get the state of a query."""
        request = {"QueryExecutionId": query_id}
        answer = self._call("GetQueryExecution", self.client.get_query_execution, request)
        return _query_execution(query_id, answer)

    def execution_now(self, query_id: str) -> QueryExecution | None:
        """Get the state of a query with one quick call, without retries; None if it is unknown.

        It works while the process ends, when `execution` raises.
        """
        from botocore.exceptions import ClientError

        with translated_errors("athena:GetQueryExecution", query_id):
            try:
                answer = self.stop_client.get_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if error_kind(error) is not ErrorKind.INVALID:
                    raise
                return None
        return _query_execution(query_id, answer)

    def stop(self, query_id: str) -> None:
        """Ask Athena to stop a query. One that has ended or is unknown stays as it is."""
        from botocore.exceptions import ClientError

        with translated_errors("athena:StopQueryExecution", query_id):
            try:
                self.stop_client.stop_query_execution(QueryExecutionId=query_id)
            except ClientError as error:
                if error_kind(error) is not ErrorKind.INVALID:
                    raise

    def result_pages(self, query_id: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
        """The pages of a query's result, each fetched when it is asked for."""
        position: dict[str, str] = {}
        while True:
            request = {"QueryExecutionId": query_id, **position}
            page = self._call("GetQueryResults", self.client.get_query_results, request)
            yield page
            if not page.get("NextToken"):
                return
            position = {"NextToken": page["NextToken"]}

    def _call(self, action: str, call: Callable[..., Answer], request: dict[str, Any]) -> Answer:
        """The answer of a call, retried with growing pauses while the error is transient."""
        from botocore.exceptions import BotoCoreError, ClientError

        def send() -> Answer:
            self.clock.raise_if_cancelled()
            try:
                return call(**request)
            except (BotoCoreError, ClientError):
                # A signal that came during the call looks like a broken connection.
                self.clock.raise_if_cancelled()
                raise

        numbers = attempts(ATTEMPTS, BACKOFF, self.clock.wait, self.random)
        try:
            return retry(send, _is_transient, numbers)
        except (BotoCoreError, ClientError) as error:
            resource = f"workgroup {self.workgroup}"
            raise translate_error(error, f"athena:{action}", resource) from error


def _is_transient(error: Exception) -> bool:
    """Whether the same call may succeed in a moment: throttling, an outage, a server error."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not isinstance(error, (BotoCoreError, ClientError)):
        return False
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_kind(error) in _TRANSIENT or status >= SERVER_ERROR


def _query_execution(query_id: str, answer: "GetQueryExecutionOutputTypeDef") -> QueryExecution:
    execution = answer["QueryExecution"]
    status = execution.get("Status", {})
    error = status.get("AthenaError", {})
    return QueryExecution(
        query_id,
        status.get("State", "QUEUED"),
        execution.get("Statistics", {}).get("DataScannedInBytes", 0),
        status.get("StateChangeReason", "") or error.get("ErrorMessage", ""),
        is_retryable=error.get("Retryable", False),
        age_s=_age_s(status.get("SubmissionDateTime")),
    )


def _age_s(submitted: datetime.datetime | None) -> float:
    """The seconds since a query was submitted; 0 where Athena does not tell."""
    if submitted is None:
        return 0.0
    return (datetime.datetime.now(datetime.UTC) - submitted).total_seconds()


def workgroup(settings: AthenaSettings) -> "WorkGroupConfigurationOutputTypeDef":
    """Get the configuration of a workgroup.

    Raises `UsageError` where it can run no queries, and `ServiceFailed`.
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
    configuration = group.get("Configuration", {})
    has_results = has_managed_results(configuration) or output_location(configuration)
    if is_enforced(configuration) and not has_results:
        raise UsageError(
            f"the workgroup {name} enforces its settings and has no place for results",
            "set its query result location, or give another --workgroup",
        )
    return configuration


def has_managed_results(configuration: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether Athena keeps the results itself (managed query results)."""
    return configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)


def is_enforced(configuration: "WorkGroupConfigurationOutputTypeDef") -> bool:
    """Whether a workgroup overrides the settings of queries."""
    return configuration.get("EnforceWorkGroupConfiguration", False)


def output_location(configuration: "WorkGroupConfigurationOutputTypeDef") -> str | None:
    """The s3:// URI where a workgroup has results kept; None if it sets none."""
    return configuration.get("ResultConfiguration", {}).get("OutputLocation")


def result_configuration(
    settings: AthenaSettings, default: str
) -> "ResultConfigurationTypeDef | None":
    """The ResultConfiguration of the workgroup's queries; None where they must not have one.

    A workgroup whose settings are enforced overrides any, one whose results Athena manages refuses
    any. Else it is `settings.output`, the workgroup's location, or the s3:// folder `default`.
    Raises what `workgroup` does.
    """
    configuration = workgroup(settings)
    if (
        has_managed_results(configuration)
        or is_enforced(configuration)
        or (output_location(configuration) and not settings.output)
    ):
        return None
    return _configuration_for(settings, settings.output or default)


def _configuration_for(settings: AthenaSettings, location: str) -> "ResultConfigurationTypeDef":
    result: ResultConfigurationTypeDef = {"OutputLocation": f"{location.rstrip('/')}/"}
    if settings.access.kms_key:
        result["EncryptionConfiguration"] = {
            "EncryptionOption": "SSE_KMS",
            "KmsKey": settings.access.kms_key,
        }
    if settings.access.bucket_owner:
        result["ExpectedBucketOwner"] = settings.access.bucket_owner
    return result
