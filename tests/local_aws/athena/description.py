"""A query execution as GetQueryExecution describes it."""

from typing import Any

from tests.local_aws.athena.queries import Query


def described(query: Query) -> dict[str, Any]:
    """The QueryExecution structure."""
    placed: dict[str, Any] = {}
    if query.placement.is_managed:
        placed["ManagedQueryResultsConfiguration"] = {"Enabled": True}
    else:
        placed["ResultConfiguration"] = {"OutputLocation": query.output}
    return {
        "QueryExecutionId": query.id,
        "Query": query.statement.text,
        "StatementType": query.statement.type,
        "QueryExecutionContext": {
            "Catalog": "awsdatacatalog",
            **query.asked.get("QueryExecutionContext", {}),
        },
        "Status": _status(query),
        "Statistics": _statistics(query),
        "WorkGroup": query.asked.get("WorkGroup", "primary"),
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
        **placed,
    }


def _status(query: Query) -> dict[str, Any]:
    status: dict[str, Any] = {"State": query.state, "SubmissionDateTime": query.submitted_at}
    if query.ended_at is not None:
        status["CompletionDateTime"] = query.ended_at
    if query.reason is not None:
        status["StateChangeReason"] = query.reason
    if query.state == "FAILED" and query.failure:
        status["AthenaError"] = {
            "ErrorCategory": query.failure.category,
            "ErrorType": query.failure.type,
            "Retryable": query.failure.retryable,
            "ErrorMessage": query.failure.reason,
        }
    return status


def _statistics(query: Query) -> dict[str, Any]:
    statistics: dict[str, Any] = {"DataScannedInBytes": query.result.bytes_scanned}
    if query.ended_at is not None:
        took = int(1000 * (query.ended_at - query.submitted_at))
        statistics |= {"TotalExecutionTimeInMillis": took, "EngineExecutionTimeInMillis": took}
    if query.manifest:
        statistics["DataManifestLocation"] = query.manifest
    return statistics
