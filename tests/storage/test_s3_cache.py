"""Local copies of objects: fetched once, checked, private, and bounded."""

import contextlib
import os
import random
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from healthpipe import cancellation
from healthpipe.errors import InputChanged, Interrupted, ObjectMissing, ServiceFailed, UsageError
from healthpipe.storage.local import LocalStorage
from healthpipe.storage.s3 import cache, transfer
from healthpipe.storage.s3.storage import S3Storage
from tests.support.s3_server import ACCESS, fill

pytest_plugins = ["tests.support.s3_server"]


def gets(requests):
    return [params["Key"] for name, params in requests if name == "GetObject"]


def cached():
    """The copies, without what belongs to the cache itself."""
    folder = Path(os.environ["HEALTHPIPE_CACHE"])
    return sorted(path for path in folder.iterdir() if path.is_file())


@pytest.fixture
def small_parts(monkeypatch):
    """Downloads above 1 MB go in parts of 300 kB."""
    config = transfer.TransferConfig(
        multipart_threshold=1_000_000, multipart_chunksize=300_000, io_chunksize=100_000
    )
    monkeypatch.setattr(transfer, "DOWNLOAD", config)


LARGE = random.Random(5).randbytes(2_000_000)


def test_an_object_is_fetched_once(storage, bucket, requests):
    storage.write(f"s3://{bucket}/a", b"content")
    first = storage.local_copy(f"s3://{bucket}/a")
    assert first.read_bytes() == b"content"
    assert storage.local_copy(f"s3://{bucket}/a") == first
    assert S3Storage(ACCESS).local_copy(f"s3://{bucket}/a") == first
    assert gets(requests) == ["a"]


@pytest.mark.usefixtures("small_parts")
def test_copies_come_in_the_order_of_their_uris_whatever_their_size(storage, bucket, requests):
    contents = {"b": LARGE, "a": b"", "d/e": b"x" * 500_000, "c": LARGE[::-1]}
    for key, content in contents.items():
        fill(bucket, [key], content)
    uris = [f"s3://{bucket}/{key}" for key in [*contents, "b"]]
    copies = storage.local_copies(uris)
    assert [path.read_bytes() for path in copies] == [*contents.values(), LARGE]
    ranges = [params for name, params in requests if name == "GetObject" and "Range" in params]
    assert len(ranges) == 2 * 7
    assert all("IfMatch" in params for params in ranges)


def test_the_suffix_is_kept_for_whoever_goes_by_it(storage, bucket):
    for key, suffix in [
        ("a.json.gz", ".json.gz"), ("b.v2.parquet", ".parquet"), ("c", ""), ("d.secret name", "")
    ]:  # fmt: skip
        storage.write(f"s3://{bucket}/{key}", b"x")
        assert "".join(storage.local_copy(f"s3://{bucket}/{key}").suffixes) == suffix


def test_only_the_owner_reads_the_copies(storage, bucket):
    storage.write(f"s3://{bucket}/a", b"content")
    path = storage.local_copy(f"s3://{bucket}/a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_object_that_was_replaced_is_fetched_anew(storage, bucket):
    storage.write(f"s3://{bucket}/a", b"one")
    old = storage.local_copy(f"s3://{bucket}/a")
    storage.write(f"s3://{bucket}/a", b"two")
    new = storage.local_copy(f"s3://{bucket}/a")
    assert (old.read_bytes(), new.read_bytes()) == (b"one", b"two")


@pytest.mark.parametrize("damage", [b"", b"conten", b"CONTENT", b"content and more"])
def test_a_damaged_copy_is_fetched_again(storage, bucket, requests, damage):
    storage.write(f"s3://{bucket}/a", b"content")
    path = storage.local_copy(f"s3://{bucket}/a")
    path.write_bytes(damage)
    assert storage.local_copy(f"s3://{bucket}/a").read_bytes() == b"content"
    assert gets(requests) == ["a", "a"]


def damaged(hook, times=10**6, broken=False):
    """Have the bytes of objects changed on their way, or the connection broken."""
    left = [times]

    def spoil(parsed, **_):
        if left[0] <= 0:
            return
        left[0] -= 1
        body = parsed["Body"]
        read, is_first = body.read, [True]

        def part(amount=None):
            content = read(amount)
            if broken and not is_first[0]:
                raise TimeoutError("cut")
            is_first[0] = False
            if broken:
                return content[: len(content) // 2]
            return bytes(len(content))

        body.read = part

    hook("after-call.s3.GetObject", spoil)


def test_of_many_files_in_a_folder_the_versions_are_listed_and_not_asked_for(
    storage, bucket, requests
):
    keys = [f"many/{number:03}" for number in range(60)]
    fill(bucket, keys, b"content")
    fill(bucket, ["alone/x"], b"other")
    uris = [f"s3://{bucket}/{key}" for key in ["alone/x", *reversed(keys)]]
    contents = [path.read_bytes() for path in storage.local_copies(uris)]
    assert contents == [b"other", *[b"content"] * 60]
    assert [params["Key"] for name, params in requests if name == "HeadObject"] == ["alone/x"]
    assert len(gets(requests)) == 61

    requests.clear()
    storage.local_copies(uris)
    storage.local_copy(uris[1])
    assert gets(requests) == [], "asked for alone, it is the same version"

    with pytest.raises(ObjectMissing):
        storage.local_copies([*uris, f"s3://{bucket}/many/gone"])


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("content", [b"content", LARGE])
def test_bytes_that_changed_on_the_way_are_noticed(storage, bucket, hook, content):
    fill(bucket, ["a"], content)
    damaged(hook)
    with pytest.raises(ServiceFailed, match="did not arrive as it is"):
        storage.local_copy(f"s3://{bucket}/a")
    assert cached() == []


@pytest.mark.usefixtures("small_parts")
def test_a_transfer_that_breaks_half_way_is_gone_on_with(storage, bucket, hook, requests):
    fill(bucket, ["a"], LARGE)
    damaged(hook, times=2, broken=True)
    assert storage.local_copy(f"s3://{bucket}/a").read_bytes() == LARGE
    assert len(gets(requests)) == 7 + 2


@pytest.mark.usefixtures("small_parts")
def test_an_object_that_changes_between_two_parts_is_noticed(storage, bucket, hook):
    fill(bucket, ["a"], LARGE)

    def change(**_):
        fill(bucket, ["a"], LARGE[::-1])

    hook("before-call.s3.GetObject", change)
    with pytest.raises(InputChanged):
        storage.local_copy(f"s3://{bucket}/a")
    assert cached() == []


def test_an_etag_that_is_no_md5_is_not_taken_for_one(storage, bucket, hook):
    fill(bucket, ["a"], b"content")

    def told(parsed, **_):
        parsed.update(ServerSideEncryption="aws:kms", ETag=f'"{"0" * 32}"')

    hook("after-call.s3.HeadObject", told)
    hook("provide-client-params.s3.GetObject", lambda params, **_: params.pop("IfMatch", None))
    assert storage.local_copy(f"s3://{bucket}/a").read_bytes() == b"content"


@pytest.mark.usefixtures("small_parts")
def test_the_progress_ends_with_all_that_was_wanted(storage, bucket):
    fill(bucket, ["a", "b"], LARGE)
    fill(bucket, ["c"], b"x")
    uris, told = [f"s3://{bucket}/{key}" for key in "abc"], []
    storage.local_copies(uris[:1])
    storage.local_copies(uris, lambda done, wanted: told.append((done, wanted)))
    assert {wanted for _, wanted in told} == {2_000_001}
    assert told[-1][0] == 2_000_001
    assert len(told) > 5
    del told[:]
    storage.local_copies(uris, lambda *given: told.append(given))
    assert told == []


@pytest.mark.usefixtures("small_parts")
def test_a_transfer_ends_when_the_work_is_to_stop(storage, bucket, monkeypatch):
    fill(bucket, [str(number) for number in range(20)], LARGE)
    uris = [f"s3://{bucket}/{number}" for number in range(20)]
    done = []

    def progress(came, wanted):
        done.append(came)
        if came > 4_000_000:
            monkeypatch.setattr(cancellation, "_received", [15])

    with pytest.raises(Interrupted):
        storage.local_copies(uris, progress)
    assert max(done) < 20_000_000
    assert cached() == []


@pytest.mark.usefixtures("small_parts")
def test_work_that_is_cancelled_ends_its_transfers_in_other_threads(storage, bucket):
    fill(bucket, ["a"], LARGE)
    limit = cancellation.Deadline()
    with cancellation.deadline_applied(limit), pytest.raises(cancellation.OutOfTime):
        storage.local_copies([f"s3://{bucket}/a"], lambda *_: limit.cancel())
    assert cached() == []


def test_a_read_that_is_refused_names_what_is_missing(storage, bucket, hook):
    fill(bucket, ["a"])

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    hook("before-call.s3.GetObject", refuse)
    with pytest.raises(UsageError, match=f"s3:GetObject on s3://{bucket}/a"):
        storage.local_copy(f"s3://{bucket}/a")


ANOTHER_PROCESS = """
import sys
from healthpipe.storage import open_storage
from tests.support.s3_server import ACCESS
storage = open_storage("s3://x", ACCESS)
print(*storage.local_copies(sys.argv[1:]), sep="\\n")
"""


def in_another_process(*uris):
    """Copies that a process made that has ended since."""
    call = [sys.executable, "-c", ANOTHER_PROCESS, *uris]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.split()]


def test_the_copies_wanted_longest_ago_go_first(storage, bucket, monkeypatch):
    monkeypatch.setenv("HEALTHPIPE_CACHE_BYTES", "2500")
    fill(bucket, ["a", "b", "c", "d"], b"x" * 1000)
    a, b, c, d = (f"s3://{bucket}/{key}" for key in "abcd")
    made = in_another_process(a, b, c)
    assert len(cached()) == 3, "what a process uses it keeps, whatever the limit"
    for age, path in zip((300, 100, 200), made, strict=True):
        status = path.stat()
        os.utime(path, (status.st_atime - age, status.st_mtime))
    leftover = made[0].with_name(".tmp-left by a dead process")
    leftover.touch()
    os.utime(leftover, (0, 0))
    new = storage.local_copy(d)
    assert cached() == sorted([made[1], new])


def test_a_copy_that_another_process_uses_stays(storage, bucket, monkeypatch):
    monkeypatch.setenv("HEALTHPIPE_CACHE_BYTES", "0")
    fill(bucket, ["a", "b"], b"x" * 1000)
    ours = storage.local_copy(f"s3://{bucket}/a")
    theirs = in_another_process(f"s3://{bucket}/b")
    assert cached() == sorted([ours, *theirs])


def test_two_at_once_get_the_same_copies(storage, bucket):
    fill(bucket, ["a", "b"], LARGE)
    uris, got = [f"s3://{bucket}/{key}" for key in "ab"], []
    threads = [
        threading.Thread(target=lambda: got.append(storage.local_copies(uris))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got[0] == got[1] == got[2]
    assert [path.read_bytes() for path in got[0]] == [LARGE, LARGE]
    assert len(cached()) == 2


def test_a_full_disk_is_said_and_leaves_nothing(storage, bucket, monkeypatch):
    fill(bucket, ["a"], b"content")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer.os, "write", full)
    with pytest.raises(ServiceFailed, match=r"the disk is full.*HEALTHPIPE_CACHE"):
        storage.local_copy(f"s3://{bucket}/a")
    assert cached() == []


def test_where_the_copies_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("HEALTHPIPE_CACHE", str(tmp_path / "named"))
    assert cache.cache_folder() == tmp_path / "named"
    monkeypatch.delenv("HEALTHPIPE_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "healthpipe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "healthpipe"


def test_a_limit_that_is_no_number_is_refused(storage, bucket, monkeypatch):
    fill(bucket, ["a"])
    monkeypatch.setenv("HEALTHPIPE_CACHE_BYTES", "20 GB")
    with pytest.raises(UsageError, match="HEALTHPIPE_CACHE_BYTES"):
        storage.local_copy(f"s3://{bucket}/a")


def test_local_files_are_their_own_copies(tmp_path):
    paths = [tmp_path / "b", tmp_path / "a"]
    assert LocalStorage().local_copies([str(path) for path in paths]) == paths


def test_a_file_that_goes_while_the_folder_is_looked_at_disturbs_nobody(
    storage, bucket, monkeypatch
):
    fill(bucket, ["a", "b"], b"content")
    first = storage.local_copy(f"s3://{bucket}/a")
    (first.parent / ".tmp-of-another").touch()
    real = os.scandir

    def scan(folder):
        entries = list(real(folder))
        (first.parent / ".tmp-of-another").unlink(missing_ok=True)
        return contextlib.nullcontext(entries)

    monkeypatch.setattr(cache.os, "scandir", scan)
    assert storage.local_copy(f"s3://{bucket}/b").read_bytes() == b"content"
