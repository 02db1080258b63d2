"""How one query is carried out: its faults, its statement, its files."""

from collections.abc import Callable

from tests.local_aws import stored
from tests.local_aws.athena import results
from tests.local_aws.athena.backend import Backend, QueryFailed, Result
from tests.local_aws.athena.catalogue import carry_out
from tests.local_aws.athena.queries import Query
from tests.local_aws.athena.statement import Catalogued, Unload
from tests.local_aws.faults import Faults


class Execution:
    """Carries out queries on a back end; `stop` is how somebody else stops one."""

    def __init__(self, backend: Backend, faults: Faults, stop: Callable[[Query], None]) -> None:
        self._backend, self._faults, self._stop = backend, faults, stop

    def run(self, query: Query) -> None:
        """Run a query to its end. Raises `QueryFailed` or `QueryStopped`."""
        self._meet_faults(query)
        if query.placement.output:
            _require_bucket(query.placement.output)
        body = query.statement.body
        match body:
            case str():
                query.result = self._backend.select(body, query.database, query.stopping)
                _keep(query, ".csv", results.csv(query.result))
                _keep(query, ".csv.metadata", b"")
            case Unload():
                self._unload(query, body)
            case Catalogued():
                query.result = carry_out(body, query.database)
                lines = "".join("\t".join(map(results.shown, row)) + "\n" for row in
                                query.result.rows)  # fmt: skip
                _keep(query, ".txt", lines.encode())

    def _unload(self, query: Query, unload: Unload) -> None:
        _require_bucket(unload.target)
        if next(stored.below(unload.target), None):
            raise QueryFailed(
                "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'awsdatacatalog."
                f"{query.database}.unload_{query.id.replace('-', '_')}' already exists: "
                f"{unload.target}. You may need to manually clean the data at location "
                f"'{query.placement.output or ''}' before retrying. Athena will not delete data "
                "in your account.",
                type=1100,
            )
        written = self._backend.unload(unload, query.database, query.id, query.stopping)
        query.result = Result(bytes_scanned=written.bytes_scanned)
        manifest = "".join(f"{uri}\n" for uri in written.uris).encode()
        _keep(query, "-manifest.csv", manifest)
        _keep(query, ".metadata", b"")
        if query.placement.output:
            query.manifest = f"{query.placement.output}{query.id}-manifest.csv"

    def _meet_faults(self, query: Query) -> None:
        for fault in self._faults.of_query(query.statement.text):
            match fault.kind:
                case "hook" if fault.hook:
                    fault.hook()
                case "cancel":
                    self._stop(query)
                case "hang":
                    query.stopping.asked.wait()
                case "fail":
                    raise QueryFailed(
                        fault.reason, fault.category, type=100, retryable=fault.retryable
                    )
        query.stopping.raise_if_asked()


def _require_bucket(uri: str) -> None:
    bucket, _ = stored.split_uri(uri)
    if not stored.has_bucket(bucket):
        raise QueryFailed(f"Unable to verify/create output bucket {bucket}", category=2, type=401)


def _keep(query: Query, suffix: str, content: bytes) -> None:
    if query.placement.output:
        bucket, key = stored.split_uri(f"{query.placement.output}{query.id}{suffix}")
        stored.put(bucket, key, content)
