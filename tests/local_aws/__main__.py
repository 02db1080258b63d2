"""A local AWS until it is interrupted: `python -m tests.local_aws --port 5000 --sql duckdb`."""

import argparse
import signal
import sys
import threading

from tests.local_aws.server import local_aws


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.local_aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--sql", choices=("duckdb", "trino"), default="duckdb")
    parser.add_argument("--bucket", action="append", default=[], help="a bucket to begin with")
    options = parser.parse_args()
    if options.sql == "trino":
        from tests.support.trino_server import why_not

        if reason := why_not():
            raise SystemExit(reason)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with local_aws(options.sql, options.port) as aws:
        for bucket in options.bucket:
            aws.client("s3").create_bucket(Bucket=bucket)
        for name, value in aws.environment.items():
            print(f"export {name}={value}")
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()
