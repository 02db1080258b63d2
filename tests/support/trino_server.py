"""A real Trino, the engine inside Athena, on this machine, over an S3 and a Glue on loopback.

    python -m tests.support.trino_server --endpoint URL

The endpoint is that of moto's server. Its Glue has to answer UpdateColumnStatisticsForTable,
DeleteColumnStatisticsForTable and the same two for partitions, which Trino calls when it writes.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trino.dbapi import connect
from trino.exceptions import TrinoExternalError, TrinoQueryError

from tests.support.trino_artifact import VERSION, find_java, installation, why_not

__all__ = ["CATALOG", "TrinoServer", "start_trino", "why_not"]

HOST, REGION = "127.0.0.1", "us-east-1"
CATALOG = "awsdatacatalog"
START_TIMEOUT_S, STOP_TIMEOUT_S = 180, 20
# Goes through the catalog to Glue and back; `select 1` alone is answered before it can be used.
READY_SQL = "select count(*) from information_schema.schemata"
HEAP = "3G"

# The server lives as long as the pipe to this process: it ends with it, however that ends.
RUN_WHILE_READ = 'exec 3<&0; "$@" & child=$!; (read -r _ <&3; kill $child) & wait $child'
JVM_OPTIONS = (
    f"-Xmx{HEAP}",
    # Queries are many and small: what the compiler would gain later costs more than it gives.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ReservedCodeCacheSize=512M",
    "-Dfile.encoding=UTF-8",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector",
)
GLUE = """
connector.name=hive
hive.metastore=glue
hive.metastore.glue.endpoint-url={endpoint}
hive.metastore.glue.region={region}
hive.metastore.glue.aws-access-key=testing
hive.metastore.glue.aws-secret-key=testing
fs.native-s3.enabled=true
s3.endpoint={endpoint}
s3.region={region}
s3.aws-access-key=testing
s3.aws-secret-key=testing
s3.path-style-access=true
hive.non-managed-table-writes-enabled=true
hive.collect-column-statistics-on-write=false
hive.table-statistics-enabled=false
"""
CONFIG = """
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://{host}:{port}
"""
NODE = ("environment=tests", f"bind-ip={HOST}", f"internal-address={HOST}")


@dataclass(frozen=True)
class TrinoServer:
    """A running server; its catalog `CATALOG` is Glue and S3."""

    host: str
    port: int

    def connection(self, schema: str | None = None):
        """A DB-API connection of the `trino` client, to that catalog."""
        return connect(host=self.host, port=self.port, user="test", catalog=CATALOG, schema=schema)


@contextmanager
def start_trino(endpoint_url: str) -> Iterator[TrinoServer]:
    """Run a server over the S3 and Glue at a URL, and stop it in the end.

    Raises `Unavailable` where `why_not` has a reason.
    """
    java, home = find_java(), installation()
    folder = Path(tempfile.mkdtemp(prefix="healthpipe-trino-"))
    server = TrinoServer(HOST, _free_port())
    _configure(folder, home, server.port, endpoint_url)
    command = [java, *JVM_OPTIONS, *_properties(folder), "-cp", f"{home}/lib/*"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", RUN_WHILE_READ, "sh", *command, "io.trino.server.TrinoServer"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_ready(server, process, folder / "server.log")
        yield server
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _stop(process: subprocess.Popen) -> None:
    process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _configure(folder: Path, home: Path, port: int, endpoint: str) -> None:
    (folder / "catalog").mkdir()
    (folder / "plugin").symlink_to(home / "plugin")
    (folder / "config.properties").write_text(CONFIG.format(host=HOST, port=port))
    (folder / "log.properties").write_text("io.trino=WARN\nio.airlift=WARN\n")
    glue = GLUE.format(endpoint=endpoint, region=REGION)
    (folder / "catalog" / f"{CATALOG}.properties").write_text(glue)


def _properties(folder: Path) -> Iterator[str]:
    yield f"-Dconfig={folder}/config.properties"
    yield f"-Dlog.levels-file={folder}/log.properties"
    yield f"-Dcatalog.config-dir={folder}/catalog"
    yield f"-Dnode.data-dir={folder}/data"
    yield f"-Dnode.id={folder.name}"
    for setting in NODE:
        yield f"-Dnode.{setting}"


def _wait_until_ready(server: TrinoServer, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _is_ready(server):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Trino {VERSION} did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.2)


def _is_ready(server: TrinoServer) -> bool:
    try:
        with urllib.request.urlopen(f"http://{server.host}:{server.port}/v1/info") as answer:
            if json.load(answer)["starting"]:
                return False
        with server.connection() as connection:
            return bool(connection.cursor().execute(READY_SQL).fetchall())
    # Answering, but without a node to run anything on.
    except (OSError, TrinoExternalError, TrinoQueryError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def main() -> None:
    """Run a server until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    endpoint = parser.parse_args().endpoint
    if reason := why_not():
        raise SystemExit(reason)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), start_trino(endpoint) as server:
        print(f"http://{server.host}:{server.port}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
