"""S3 to the local cache beside boto3's own transfer of the same files, each pair in one run.

    .venv/bin/python benchmarks/s3_cache.py [--megabytes 256] [--runs 5]

S3 is moto's server on this machine, in a process of its own. Speed is boto3's time by ours: at
least 0.8 is wanted. Two sets of as many bytes: a few large files, and many small ones.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from healthpipe.aws.session import AwsAccess, client
from healthpipe.storage.s3.cache import FOLDER
from healthpipe.storage.s3.storage import S3Storage

WANTED = 0.8
BUCKET, ACCESS = "benchmark", AwsAccess(region="us-east-1")
LARGE_FILES, SMALL_BYTES = 4, 200_000


@contextmanager
def s3_server() -> Iterator[None]:
    """Run moto's server, and have everybody look for S3 there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    os.environ.update(
        AWS_ENDPOINT_URL=address, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing"
    )
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address)
            yield
        finally:
            process.terminate()


def _wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/moto-api/").close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def by_boto3(keys: list[str], folder: Path) -> None:
    """Fetch as one does with boto3 alone: small files several at once, as we do."""
    from concurrent.futures import ThreadPoolExecutor

    s3 = client("s3", ACCESS)
    if len(keys) == LARGE_FILES:
        for number, key in enumerate(keys):
            s3.download_file(BUCKET, key, str(folder / str(number)))
        return
    with ThreadPoolExecutor(10) as pool:
        jobs = [
            pool.submit(s3.download_file, BUCKET, key, str(folder / str(number)))
            for number, key in enumerate(keys)
        ]
        for job in jobs:
            job.result()


def by_cache(keys: list[str], folder: Path) -> None:
    """Fetch into an empty cache."""
    os.environ[FOLDER] = str(folder)
    S3Storage(ACCESS).local_copies([f"s3://{BUCKET}/{key}" for key in keys])


def measure(fetch: Callable[[list[str], Path], None], keys: list[str]) -> float:
    """The seconds that a way of fetching takes, into an empty folder."""
    with tempfile.TemporaryDirectory(prefix="healthpipe-benchmark-") as name:
        began = time.perf_counter()
        fetch(keys, Path(name))
        return time.perf_counter() - began


def compare(name: str, keys: list[str], runs: int) -> float:
    """Print how fast both are, in turn after a warm-up; the median of the ratios."""
    pairs = []
    for number in range(runs + 1):
        ways = [by_cache, by_boto3] if number % 2 else [by_boto3, by_cache]
        seconds = {way: measure(way, keys) for way in ways}
        pairs.append((seconds[by_cache], seconds[by_boto3]))
    ratio = statistics.median(theirs / ours for ours, theirs in pairs[1:])
    ours, theirs = (statistics.median(each) for each in zip(*pairs[1:], strict=True))
    print(f"{name:20} {ours:7.2f} s {theirs:7.2f} s {ratio:6.0%}", flush=True)
    return ratio


def main() -> None:
    """Fill a bucket, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    size = wanted.megabytes * 1_000_000
    with s3_server():
        s3 = client("s3", ACCESS)
        s3.create_bucket(Bucket=BUCKET)
        sets = {
            "large files": (LARGE_FILES, size // LARGE_FILES),
            "small files": (min(size // SMALL_BYTES, 400), SMALL_BYTES),
        }
        print(f"{'':20} {'ours':>9} {'boto3':>9} {'speed':>6}")
        ratios = []
        for name, (count, each) in sets.items():
            keys = [f"{name}/{number}" for number in range(count)]
            for key in keys:
                s3.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(each))
            ratios.append(compare(name, keys, wanted.runs))
    if min(ratios) < WANTED:
        sys.exit(f"slower than {WANTED:.0%} of boto3")


if __name__ == "__main__":
    main()
