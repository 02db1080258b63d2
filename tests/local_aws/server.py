"""The server of a local AWS, in a thread of this process."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from tests.local_aws.athena.api import Athena
from tests.local_aws.athena.backend import Backend
from tests.local_aws.athena.description import described
from tests.local_aws.calls import Call
from tests.local_aws.control import control
from tests.local_aws.faults import Faults
from tests.local_aws.front import Front
from tests.local_aws.stored import forget_everything

HOST, REGION = "127.0.0.1", "us-east-1"


class _Handler(MotoRequestHandler):
    """Says nothing, answers without delay, and knows its open connections."""

    disable_nagle_algorithm = True
    connections: ClassVar[set[socket.socket]] = set()

    def setup(self) -> None:
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        self.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class _Dispatcher(DomainDispatcherApplication):
    """Remembers which service a host stands for: moto looks through a folder each time."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        return self._known[host]


class _Listener:
    """A port of this machine at which an application answers, in a thread, once it is started.

    The port is taken at once; who calls before the start is refused.
    """

    def __init__(self, application: Any, port: int = 0) -> None:
        with socket.socket() as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((HOST, port))
            host, taken = bound.getsockname()
            self._server: BaseWSGIServer = make_server(
                host,
                taken,
                application,
                threaded=True,
                request_handler=_Handler,
                fd=bound.fileno(),
            )
        self.url = f"http://{host}:{taken}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def start(self) -> None:
        self._server.server_activate()
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class LocalAws:
    """S3, Glue, SNS, SQS, STS and Athena at `endpoint_url`, once queries can be run.

    moto keeps one state for a process, so that only one may run in it at a time.
    """

    def __init__(self, sql: str = "duckdb", port: int = 0) -> None:
        self.sql, self.faults = sql, Faults()
        self._clients: dict[str, Any] = {}
        self._athena = Athena(sql, self.faults)
        self._front = Front(_Dispatcher(), self._athena, self.faults, self)
        self._public = _Listener(self._front, port)
        # Trino reads this S3 and Glue, and has to while it starts.
        self._for_backend = _Listener(self._front)
        self.endpoint_url = self._public.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which boto3 comes here and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @property
    def backend(self) -> Backend:
        """What runs the queries."""
        return self._athena.backend

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in the order of arrival; `at` is a reading of time.monotonic()."""
        return list(self._front.calls)

    def count(self, service: str, action: str) -> int:
        """How often an action was called."""
        return sum((call.service, call.action) == (service, action) for call in self.calls)

    def running_queries(self) -> list[str]:
        """The ids of the queries that are queued or run."""
        return self._athena.queries.running()

    def queries(self) -> list[dict[str, Any]]:
        """Every query so far as GetQueryExecution describes it, in the order of their starts."""
        return self._athena.queries.described()

    def wait_for(self, query_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until a query has ended, and describe it as GetQueryExecution does."""
        query = self._athena.queries.get(query_id)
        if not query.ended.wait(timeout_s):
            raise TimeoutError(f"query {query_id} is still {query.state}")
        return described(query)

    def client(self, service: str) -> Any:
        """A boto3 client that comes here, the same each time."""
        if service not in self._clients:
            self._clients[service] = client(service, self.endpoint_url)
        return self._clients[service]

    def control(self, path: str, method: str, asked: dict[str, Any]) -> Any:
        """Carry out what was asked over HTTP, below `/_`."""
        return control(self, path, method, asked)

    def reset(self) -> None:
        """Stop all queries, and forget everything that was stored, called or asked to fail."""
        self._athena.reset()
        self.faults.clear()
        self._front.calls.clear()
        forget_everything()

    def start(self) -> None:
        """Start what runs the queries, then begin to answer."""
        forget_everything()
        try:
            self._for_backend.start()
            self._athena.open(self._for_backend.url)
            self._public.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every query and connection; leave nothing behind."""
        self._athena.close()
        self._public.stop()
        self._for_backend.stop()
        for held in self._clients.values():
            held.close()
        for connection in list(_Handler.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        forget_everything()


def client(service: str, endpoint_url: str, **settings: Any) -> Any:
    """A boto3 client of a local AWS; `settings` are those of botocore's Config."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(**settings),
    )


@contextmanager
def local_aws(sql: str = "duckdb", port: int = 0) -> Iterator[LocalAws]:
    """A local AWS whose Athena runs on `duckdb` or `trino`, on a free port unless told."""
    aws = LocalAws(sql, port)
    aws.start()
    try:
        yield aws
    finally:
        aws.stop()
