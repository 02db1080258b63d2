"""The actions of Athena's API."""

from typing import Any

from tests.local_aws import stored
from tests.local_aws.athena import results
from tests.local_aws.athena.backend import Backend, backend
from tests.local_aws.athena.description import described
from tests.local_aws.athena.execution import Execution
from tests.local_aws.athena.queries import ENDED, Queries, Query
from tests.local_aws.athena.statement import Catalogued, Unload, parsed
from tests.local_aws.athena.workgroups import Workgroups
from tests.local_aws.faults import Faults
from tests.local_aws.front import Refused

INVALID = "InvalidRequestException"


class Athena:
    """An Athena whose queries `sql` runs: duckdb or trino."""

    def __init__(self, sql: str, faults: Faults) -> None:
        self.backend: Backend = backend(sql)
        self._workgroups = Workgroups()
        self.queries = Queries(Execution(self.backend, faults, self._stop).run)
        self._actions = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._get_several,
            "ListQueryExecutions": self._list,
            "StopQueryExecution": self._stop_asked,
            "GetQueryResults": self._results,
            "GetQueryRuntimeStatistics": self._runtime,
            "CreateWorkGroup": self._workgroups.create,
            "DeleteWorkGroup": self._workgroups.delete,
            "GetWorkGroup": self._workgroups.get,
            "ListWorkGroups": self._workgroups.list,
        }

    def open(self, endpoint_url: str) -> None:
        self.backend.open(endpoint_url)

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What an action answers. Raises `Refused`."""
        found = self._actions.get(action)
        if found is None:
            raise Refused("UnknownOperationException", f"{action} is not known to this Athena")
        return found(asked)

    def reset(self) -> None:
        self.queries.reset()
        self._workgroups.reset()

    def close(self) -> None:
        self.queries.close()
        self.backend.close()

    def _start(self, asked: dict[str, Any]) -> dict[str, Any]:
        token = asked.get("ClientRequestToken")
        if token is None or not 32 <= len(token) <= 128:
            bound = "less than or equal to 128" if token and len(token) > 128 else (
                "greater than or equal to 32"
            )  # fmt: skip
            raise Refused(
                INVALID,
                f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to "
                f"satisfy constraint: Member must have length {bound}",
            )
        statement = parsed(asked.get("QueryString", ""), asked.get("ExecutionParameters", ()))
        placement = self._workgroups.placement(
            asked.get("WorkGroup", "primary"), asked.get("ResultConfiguration", {})
        )
        bucket, _ = stored.split_uri(placement.output or "")
        if placement.output and not stored.has_bucket(bucket):
            raise Refused(INVALID, f"Unable to verify/create output bucket {bucket}")
        return {"QueryExecutionId": self.queries.start(Query(asked, statement, placement), token)}

    def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": described(self.queries.get(asked["QueryExecutionId"]))}

    def _get_several(self, asked: dict[str, Any]) -> dict[str, Any]:
        found, missing = [], []
        for query_id in asked["QueryExecutionIds"]:
            try:
                found.append(described(self.queries.get(query_id)))
            except Refused as error:
                missing.append({"QueryExecutionId": query_id, "ErrorMessage": error.message})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def _list(self, asked: dict[str, Any]) -> dict[str, Any]:
        described_all = reversed(self.queries.described())
        workgroup = asked.get("WorkGroup", "primary")
        ids = [one["QueryExecutionId"] for one in described_all if one["WorkGroup"] == workgroup]
        return {"QueryExecutionIds": ids}

    def _stop_asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._stop(self.queries.get(asked["QueryExecutionId"]))
        return {}

    def _stop(self, query: Query) -> None:
        self.queries.stop(query, "Query cancelled by user")

    def _results(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = self.queries.get(asked["QueryExecutionId"])
        if query.state not in ENDED:
            raise Refused(INVALID, f"Query has not yet finished. Current state: {query.state}")
        if query.state != "SUCCEEDED":
            raise Refused(
                INVALID, f"Query did not finish successfully. Final query state: {query.state}"
            )
        with_header = not isinstance(query.statement.body, Catalogued | Unload)
        return results.page(query.result, with_header, asked)

    def _runtime(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = self.queries.get(asked["QueryExecutionId"])
        rows = {"InputBytes": query.result.bytes_scanned, "OutputRows": len(query.result.rows)}
        timeline = {"TotalExecutionTimeInMillis": 0}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}
