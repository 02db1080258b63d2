"""Published files are verified: by their bytes on this machine, by S3's checksum in a bucket."""

from pathlib import Path

import msgspec
import pytest

from healthpipe.errors import PublishedDamaged, exit_code_of
from healthpipe.publishing.pointer import require_published
from healthpipe.publishing.publish import fetch_intact, find_damage, require_intact
from healthpipe.storage.base import StoredChecksum
from healthpipe.storage.layout import open_root
from healthpipe.storage.local import LocalStorage
from tests.support.aws_root import BUCKET, ROOT
from tests.support.published_runs import publish_run, run_id
from tests.support.s3_server import fill

pytest_plugins = ["tests.support.aws_root"]

RUN = run_id("2026-02-15")


@pytest.fixture
def root(tmp_path):
    root = open_root(str(tmp_path / "some data"))
    publish_run(root, RUN)
    return root


@pytest.fixture
def extract(root) -> Path:
    return Path(root.published(RUN), "extract.parquet")


def files(root):
    return require_published(root).files


def problems(root):
    return [str(damage).partition(" ")[2] for damage in find_damage(root, files(root))]


def test_what_was_published_is_intact(root):
    assert find_damage(root, files(root)) == []
    require_intact(root, files(root))


def test_each_kind_of_damage_is_named(root, extract):
    content = extract.read_bytes()
    extract.write_bytes(content + b"x")
    assert problems(root) == [
        f"is not what was published: {len(content) + 1} bytes, not {len(content)}"
    ]
    extract.write_bytes(b"x" * len(content))
    assert problems(root) == ["is not what was published: it has another SHA-256"]
    extract.unlink()
    assert problems(root) == ["is gone"]


def test_a_file_that_this_user_may_not_read_is_told_as_such(root, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalStorage, "sha256", refuse)
    assert problems(root) == ["cannot be read: Permission denied"] * 2


def test_the_error_names_the_first_file_their_number_and_a_command_that_can_be_pasted(root):
    for file in files(root):
        Path(root.uri, file.path).unlink()
    with pytest.raises(PublishedDamaged) as raised:
        require_intact(root, files(root))
    assert exit_code_of(raised.value) == 4
    assert raised.value.message == f"production/{RUN}/extract.parquet is gone (and 1 more)"
    assert f"`healthpipe orchestrate --root '{root.uri}' --force`" in raised.value.hint


@pytest.mark.parametrize(
    ("recorded", "known", "is_damaged"),
    [
        ("composite:AAAA-2", "composite:AAAA-2", False),
        ("composite:AAAA-2", "composite:AAAA", False),
        ("composite:AAAA-2", "composite:BBBB-2", True),
        ("composite:AAAA-2", "0" * 64, True),
        (msgspec.UNSET, "composite:AAAA-2", False),
        (msgspec.UNSET, None, False),
    ],
)
def test_a_composite_checksum_is_compared_with_the_recorded_one(
    root, monkeypatch, recorded, known, is_damaged
):
    file = msgspec.structs.replace(files(root)[0], checksum=recorded)
    monkeypatch.setattr(LocalStorage, "checksum", lambda *_: StoredChecksum(file.bytes, known))
    assert bool(find_damage(root, [file])) == is_damaged


@pytest.fixture
def bucket(place):
    """A root on S3 with a published run."""
    place.engine = "duckdb"
    assert place.orchestrate().code == 0
    return place


def test_on_s3_its_checksum_is_asked_for_and_no_file_is_read(bucket):
    root, read = open_root(ROOT), []
    root.storage.checksum(root.pointer)  # a client there is
    published = files(root)
    root.storage._requests.s3.meta.events.register(
        "provide-client-params.s3.GetObject", lambda **_: read.append(1)
    )
    assert find_damage(root, published) == []
    path = published[0].path
    other = {"Body": b"x" * published[0].bytes, "ChecksumAlgorithm": "SHA256"}
    bucket.s3.put_object(Bucket=BUCKET, Key=f"root/{path}", **other)
    assert problems_of(root, published) == [(path, "another SHA-256")]
    bucket.put(path, b"junk")
    assert problems_of(root, published) == [(path, "bytes")]
    bucket.delete(path)
    assert problems_of(root, published) == [(path, "is gone")]
    assert read == []


def problems_of(root, published):
    kinds = ("another SHA-256", "bytes", "is gone")
    return [
        (damage.path, next(kind for kind in kinds if kind in damage.problem))
        for damage in find_damage(root, published)
    ]


def test_on_s3_without_a_checksum_the_size_decides_until_the_file_is_printed(bucket):
    root = open_root(ROOT)
    (counts,) = [file for file in files(root) if file.path.endswith("state-counts.csv")]
    fill(BUCKET, [f"root/{counts.path}"], b"x" * counts.bytes)

    assert find_damage(root, [counts]) == []
    with pytest.raises(PublishedDamaged):
        fetch_intact(root, [counts])
    outcome = bucket.run("current", "state-counts", "-o", "-")
    assert (outcome.code, outcome.out) == (4, "")
    assert "another SHA-256" in outcome.err


def test_on_s3_status_and_doctor_find_it_too(bucket):
    assert bucket.run("status").code == bucket.run("doctor").code == 0
    bucket.delete(bucket.live["files"][0]["path"])

    for command in ("status", "doctor", "current"):
        outcome = bucket.run(command)
        assert outcome.code == 4, command
        assert f"`healthpipe orchestrate --root {ROOT} --force`" in outcome.err
