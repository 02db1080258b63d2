"""Files on S3: listed, read, written and removed."""

import base64
import gzip
import hashlib
import random
import time
from email.utils import formatdate
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from healthpipe.aws.session import AwsAccess
from healthpipe.errors import InputChanged, ObjectMissing, ServiceFailed, UsageError, exit_code_of
from healthpipe.storage import open_storage
from healthpipe.storage.local import LocalStorage
from healthpipe.storage.s3 import transfer
from healthpipe.storage.s3.storage import S3Storage
from tests.support.s3_server import ACCESS, fill, uploads

pytest_plugins = ["tests.support.s3_server"]

ODD_KEYS = [
    "a b.json", "100%.json", "a+b.json", "a%20b.json", "Clínica/ñ.json", "日本/語.json",
    "q?x=1&y=2#z", "semi;colon,comma", "quote'\"s", "~tilde(1)*!", "a//b", "=x", "a:b@c$d",
]  # fmt: skip


def keys_of(s3, bucket):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def test_a_uri_says_which_storage_keeps_it():
    assert isinstance(open_storage("s3://records/raw"), S3Storage)
    assert isinstance(open_storage("data"), LocalStorage)


@pytest.mark.parametrize("uri", ["s3://", "s3:///key"])
def test_a_uri_without_a_bucket_is_refused(uri, storage):
    with pytest.raises(UsageError, match="names no bucket"):
        storage.write(uri, b"x")


def test_a_listing_of_many_pages_is_complete_and_ordered(storage, bucket):
    names = [f"raw/{number:05}" for number in random.Random(1).sample(range(99_999), 2_500)]
    fill(bucket, names)
    listed = list(storage.list(f"s3://{bucket}/raw"))
    assert [file.uri for file in listed] == [f"s3://{bucket}/{name}" for name in sorted(names)]
    assert {file.size for file in listed} == {1}


@pytest.mark.pitfall(2)
def test_a_listing_of_25000_keys_is_followed_to_its_end(storage, bucket, hook):
    """S3's answers are written here: moto sorts all keys again for each of the pages."""
    asked = []

    def page(request, **_):
        query = parse_qs(urlsplit(request.url).query)
        start = int(query.get("continuation-token", ["0"])[0])
        asked.append((query["prefix"][0], start))
        contents = "".join(
            f"<Contents><Key>raw/{number:05}</Key><Size>{number}</Size><ETag>&quot;e&quot;</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for number in range(start, start + 1000)
        )
        more = start + 1000 < 25_000
        token = f"<NextContinuationToken>{start + 1000}</NextContinuationToken>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"<EncodingType>url</EncodingType>{contents}</ListBucketResult>"
        ).encode()
        raw = SimpleNamespace(stream=lambda *_, **__: iter([body]), read=lambda *_: body)
        return AWSResponse(request.url, 200, {}, raw)

    hook("before-send.s3.ListObjectsV2", page)
    listed = list(storage.list(f"s3://{bucket}/raw"))
    assert [file.size for file in listed] == list(range(25_000))
    assert listed[-1].uri == f"s3://{bucket}/raw/24999"
    assert asked == [("raw/", start) for start in range(0, 25_000, 1000)]


def test_a_listing_keeps_to_its_folder_and_shows_no_markers_of_folders(storage, bucket):
    fill(bucket, ["raw", "raw/", "raw/a/", "raw/a/b", "raw/c", "raw.old/d", "rawer"])
    listed = [file.uri for file in storage.list(f"s3://{bucket}/raw")]
    assert listed == [f"s3://{bucket}/raw/a/b", f"s3://{bucket}/raw/c"]
    assert len(list(storage.list(f"s3://{bucket}"))) == 5
    assert list(storage.list(f"s3://{bucket}/missing")) == []


def test_more_than_1000_folders_are_told_by_name(storage, bucket):
    names = [f"f{number}" for number in range(1_200)] + ["f-1", "f-"]
    fill(bucket, [f"in/{name}/x/y" for name in names] + ["in/file", "f2/x"])
    told = list(storage.folders(f"s3://{bucket}/in"))
    assert told == [f"s3://{bucket}/in/{name}" for name in sorted(names)]
    assert list(storage.folders(f"s3://{bucket}/in/file")) == []


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_what_its_uri_says_letter_by_letter(key, storage, bucket, s3, tmp_path):
    uri = f"s3://{bucket}/in/{key}"
    storage.write(uri, b"content")
    assert keys_of(s3, bucket) == [f"in/{key}"]
    assert [file.uri for file in storage.list(f"s3://{bucket}/in")] == [uri]
    assert storage.stat(uri).size == 7
    assert storage.read(uri)[0] == b"content"
    assert storage.local_copy(uri).read_bytes() == b"content"
    storage.copy(uri, f"{uri}.copy")
    assert keys_of(s3, bucket) == [f"in/{key}", f"in/{key}.copy"]
    storage.delete_folder(f"s3://{bucket}/in")
    assert keys_of(s3, bucket) == []


def test_the_version_of_a_file_changes_with_its_content(storage, bucket):
    uri, versions = f"s3://{bucket}/a", []
    for content in (b"one", b"two", b"one"):
        storage.write(uri, content)
        versions.append(storage.stat(uri).version)
        assert next(storage.list(f"s3://{bucket}")).version == versions[-1]
    assert versions[0] == versions[2] != versions[1]
    assert hashlib.md5(b"one").hexdigest() in versions[0]


def test_what_is_not_there_is_no_file(storage, bucket):
    uri = f"s3://{bucket}/missing"
    assert storage.stat(uri) is storage.stat(f"s3://{bucket}") is storage.age(uri) is None
    assert storage.read(uri) is None
    storage.delete(uri)
    for read in (storage.open, storage.sha256, storage.local_copy, lambda u: storage.copy(u, u)):
        with pytest.raises(ObjectMissing):
            read(uri)


def test_the_age_of_a_file_is_told_by_the_clock_of_s3(storage, bucket, s3, monkeypatch, hook):
    storage.write(f"s3://{bucket}/a", b"")
    monkeypatch.setattr(time, "time", lambda: 0)  # nobody here knows what time it is

    hook("before-parse.s3.HeadObject", lambda response_dict, **_: (
        response_dict["headers"].update({
            "date": formatdate(1_000_000_090, usegmt=True),
            "last-modified": formatdate(1_000_000_000, usegmt=True),
        })
    ))  # fmt: skip
    assert storage.age(f"s3://{bucket}/a") == 90


def test_the_age_of_a_local_file_is_that_of_its_last_change(tmp_path):
    (tmp_path / "a").touch()
    assert 0 <= LocalStorage().age(str(tmp_path / "a")) < 60
    assert LocalStorage().age(str(tmp_path / "b")) is None


def test_a_file_is_streamed_as_a_gzip_reader_wants_it(storage, bucket):
    content = random.Random(2).randbytes(3_000_000)
    storage.write(f"s3://{bucket}/a.gz", gzip.compress(content))
    with storage.open(f"s3://{bucket}/a.gz") as file, gzip.open(file) as reader:
        assert reader.read() == content
    storage.write(f"s3://{bucket}/empty", b"")
    with storage.open(f"s3://{bucket}/empty") as reader:
        assert reader.read() == b""


class Breaking:
    """A body that breaks off after some bytes, each time it is asked for."""

    def __init__(self, hook, after, then=lambda: None, times=1):
        self.ranges, self._after, self._then, self._times = [], after, then, times
        hook("after-call.s3.GetObject", self._break)
        hook("provide-client-params.s3.GetObject", self._note)

    def _note(self, params, **_):
        self.ranges.append((params.get("Range"), params.get("IfMatch")))

    def _break(self, parsed, **_):
        if self._times <= 0 or "Body" not in parsed:
            return
        self._times -= 1
        body, left = parsed["Body"], [self._after]
        read = body.read

        def part(amount=None):
            if not left[0]:
                self._then()
                raise ConnectionResetError("reset by peer")
            content = read(min(amount or left[0], left[0]))
            left[0] -= len(content)
            return content

        body.read = part


def test_a_stream_that_breaks_goes_on_where_it_broke(storage, bucket, hook):
    content = random.Random(3).randbytes(5_000_000)
    storage.write(f"s3://{bucket}/a", content)
    etag = hashlib.md5(content).hexdigest()
    breaking = Breaking(hook, 2_000_000, times=2)
    with storage.open(f"s3://{bucket}/a") as reader:
        assert reader.read() == content
    assert breaking.ranges == [
        (None, None),
        ("bytes=2000000-", f'"{etag}"'),
        ("bytes=4000000-", f'"{etag}"'),
    ]


def test_a_stream_is_never_put_together_from_two_versions(storage, bucket, hook):
    storage.write(f"s3://{bucket}/a", b"1" * 1000)
    changed = lambda: fill(bucket, ["a"], b"2" * 1000)  # noqa: E731
    Breaking(hook, 500, changed)
    with storage.open(f"s3://{bucket}/a") as reader, pytest.raises(InputChanged):
        reader.read()


def test_a_stream_that_breaks_again_and_again_fails_in_the_end(storage, bucket, hook):
    storage.write(f"s3://{bucket}/a", b"1" * 1000)
    breaking = Breaking(hook, 0, times=1000)
    with storage.open(f"s3://{bucket}/a") as reader, pytest.raises(ServiceFailed) as failure:
        reader.read()
    assert "0 of 1000 bytes" in str(failure.value)
    assert 3 <= len(breaking.ranges) <= 10


def test_a_stream_that_ends_early_without_an_error_is_noticed(storage, bucket, s3, hook):
    storage.write(f"s3://{bucket}/a", b"1" * 1000)
    told = lambda parsed, **_: parsed.update(ContentLength=1200)  # noqa: E731
    hook("after-call.s3.GetObject", told)
    with storage.open(f"s3://{bucket}/a") as reader, pytest.raises((ServiceFailed, UsageError)):
        reader.read()


@pytest.fixture
def small_parts(monkeypatch):
    """Uploads above 6 MB go in parts of 5 MB, copies above 1 MB in parts of 5 MB."""
    config = transfer.TransferConfig(multipart_threshold=6_000_000, multipart_chunksize=5 << 20)
    monkeypatch.setattr(transfer, "UPLOAD", config)
    monkeypatch.setattr(transfer, "ONE_REQUEST_BYTES", 1_000_000)
    monkeypatch.setattr(transfer, "PART_BYTES", 5 << 20)


@pytest.fixture
def large(tmp_path):
    """A local file of 12 MB."""
    path = tmp_path / "large"
    path.write_bytes(random.Random(4).randbytes(12_000_000))
    return path


@pytest.mark.usefixtures("small_parts")
def test_a_file_is_delivered_and_gone_here(storage, bucket, large, requests):
    content = large.read_bytes()
    small = large.with_name("small")
    small.write_bytes(b"small")
    for path in (large, small):
        storage.deliver(path, f"s3://{bucket}/to/{path.name}")
        assert not path.exists()
    assert storage.read(f"s3://{bucket}/to/large")[0] == content
    assert storage.read(f"s3://{bucket}/to/small")[0] == b"small"
    assert [name for name, _ in requests].count("UploadPart") == 3


@pytest.mark.usefixtures("small_parts")
def test_a_delivery_that_did_not_arrive_whole_keeps_the_local_file(
    storage, bucket, s3, large, hook
):
    told = lambda parsed, **_: parsed.update(ContentLength=11_999_999)  # noqa: E731
    hook("after-call.s3.HeadObject", told)
    with pytest.raises(ServiceFailed, match="did not arrive whole"):
        storage.deliver(large, f"s3://{bucket}/large")
    assert large.stat().st_size == 12_000_000


@pytest.mark.usefixtures("small_parts")
def test_an_upload_in_parts_that_fails_leaves_nothing(storage, bucket, s3, large, hook):
    def fail(params, **_):
        if params["PartNumber"] == 2:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "UploadPart")

    hook("provide-client-params.s3.UploadPart", fail)
    with pytest.raises(UsageError, match="s3:PutObject"):
        storage.deliver(large, f"s3://{bucket}/large")
    assert large.exists()
    assert (keys_of(s3, bucket), uploads(s3, bucket)) == ([], [])


def test_a_delivered_folder_replaces_the_one_that_is_there(storage, bucket, s3, tmp_path, requests):
    fill(bucket, ["to/old", "to/deep/old", "to/both", "tower/else"])
    local = tmp_path / "local"
    local.mkdir()
    for name in ("both", "new"):
        (local / name).write_bytes(b"new")
    storage.deliver_folder(local, f"s3://{bucket}/to")
    assert keys_of(s3, bucket) == ["to/both", "to/new", "tower/else"]
    assert storage.read(f"s3://{bucket}/to/both")[0] == b"new"
    assert not local.exists()
    names = [name for name, _ in requests]
    assert names.index("DeleteObjects") > max(
        number for number, name in enumerate(names) if name == "PutObject"
    )


def test_a_copy_is_made_by_s3_and_tells_the_sha256(storage, bucket, requests):
    storage.write(f"s3://{bucket}/a", b"abc")
    requests.clear()
    told = storage.copy(f"s3://{bucket}/a", f"s3://{bucket}/b")
    assert told == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.read(f"s3://{bucket}/b")[0] == b"abc"
    copies = [params for name, params in requests if name == "CopyObject"]
    assert copies[0]["ChecksumAlgorithm"] == "SHA256"
    assert copies[0]["CopySourceIfMatch"] == f'"{hashlib.md5(b"abc").hexdigest()}"'


def test_a_source_that_changes_while_it_is_copied_is_noticed(storage, bucket, s3, hook):
    storage.write(f"s3://{bucket}/a", b"abc")

    def refuse(**_):
        raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "CopyObject")

    hook("before-call.s3.CopyObject", refuse)
    with pytest.raises(InputChanged):
        storage.copy(f"s3://{bucket}/a", f"s3://{bucket}/b")


@pytest.mark.usefixtures("small_parts")
def test_a_copy_in_parts_tells_a_composite(storage, bucket, requests, large):
    content = large.read_bytes()
    fill(bucket, ["a"], content)
    told = storage.copy(f"s3://{bucket}/a", f"s3://{bucket}/b")
    digests = [
        hashlib.sha256(content[at : at + (5 << 20)]).digest() for at in (0, 5 << 20, 10 << 20)
    ]
    whole = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    assert told == f"composite:{whole}-3"
    assert storage.read(f"s3://{bucket}/b")[0] == content
    assert storage.sha256(f"s3://{bucket}/b") == hashlib.sha256(content).hexdigest()
    parts = [params for name, params in requests if name == "UploadPartCopy"]
    assert {part["CopySourceIfMatch"] for part in parts} == {
        f'"{hashlib.md5(content).hexdigest()}"'
    }


@pytest.mark.usefixtures("small_parts")
def test_a_copy_in_parts_that_fails_leaves_nothing(storage, bucket, s3, large, hook):
    fill(bucket, ["a"], large.read_bytes())

    def refuse(params, **_):
        if params["PartNumber"] == 2:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "UploadPartCopy")

    hook("provide-client-params.s3.UploadPartCopy", refuse)
    with pytest.raises(ServiceFailed):
        storage.copy(f"s3://{bucket}/a", f"s3://{bucket}/b")
    assert (keys_of(s3, bucket), uploads(s3, bucket)) == (["a"], [])


def test_a_sha256_is_read_from_s3_where_it_is_kept_and_else_computed(storage, bucket, requests):
    digest = hashlib.sha256(b"abc").hexdigest()
    storage.write(f"s3://{bucket}/ours", b"abc")
    fill(bucket, ["other"], b"abc")
    requests.clear()
    assert storage.sha256(f"s3://{bucket}/ours") == digest
    assert [name for name, _ in requests] == ["HeadObject"]
    assert storage.sha256(f"s3://{bucket}/other") == digest


def test_a_folder_of_many_is_removed_in_batches(storage, bucket, s3, requests):
    fill(bucket, [f"a/{number}" for number in range(2_100)] + ["ab/c"])
    for _ in range(2):
        storage.delete_folder(f"s3://{bucket}/a")
    assert keys_of(s3, bucket) == ["ab/c"]
    sizes = [len(params["Delete"]["Objects"]) for name, params in requests if "Delete" in name]
    assert sizes == [1000, 1000, 100]


def test_a_key_that_stays_is_said(storage, bucket, s3, hook):
    fill(bucket, ["a/b"])
    refused = lambda parsed, **_: parsed.update(  # noqa: E731
        Errors=[{"Key": "a/b", "Code": "AccessDenied", "Message": "no"}]
    )
    hook("after-call.s3.DeleteObjects", refused)
    with pytest.raises(UsageError, match=f"allow s3:DeleteObject on s3://{bucket}/a/b"):
        storage.delete_folder(f"s3://{bucket}/a")


def test_a_folder_is_withdrawn_from_its_top_and_what_a_kill_leaves_is_known(
    storage, bucket, s3, hook
):
    fill(bucket, ["runs/1/deep/er/x", "runs/1/run.json", "runs/1/z", "runs/2/run.json"])
    left = []

    def killed(params, **_):
        left.append([each["Key"] for each in params["Delete"]["Objects"]])
        if len(left) == 2:
            raise KeyboardInterrupt

    hook("provide-client-params.s3.DeleteObjects", killed)
    with pytest.raises(KeyboardInterrupt):
        storage.remove_atomically(f"s3://{bucket}/runs/1")
    assert left[0] == ["runs/1/run.json", "runs/1/z"]
    assert keys_of(s3, bucket) == ["runs/1/.tmp-withdrawn", "runs/1/deep/er/x", "runs/2/run.json"]
    storage.delete_temporary(f"s3://{bucket}/runs")
    assert keys_of(s3, bucket) == ["runs/2/run.json"]
    for folder in ("2", "2", "3"):
        storage.remove_atomically(f"s3://{bucket}/runs/{folder}")
    assert keys_of(s3, bucket) == []


def test_what_dead_writers_left_is_removed_once_it_is_idle(storage, bucket, s3):
    fill(bucket, ["in/.tmp-1", "in/a/.tmp-2/b", "in/a/c", ".tmp-3"])
    for key in ("in/large", "elsewhere"):
        begun = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        s3.upload_part(Bucket=bucket, Key=key, UploadId=begun, PartNumber=1, Body=b"x")
    storage.delete_temporary(f"s3://{bucket}/in", idle_s=3600)
    assert len(keys_of(s3, bucket)) == 4
    assert uploads(s3, bucket) == ["in/large", "elsewhere"]
    storage.delete_temporary(f"s3://{bucket}/in")
    assert keys_of(s3, bucket) == [".tmp-3", "in/a/c"]
    assert uploads(s3, bucket) == ["elsewhere"]


OWNER, KEY = "123456789012", "arn:aws:kms:us-east-1:123456789012:key/1"


@pytest.mark.usefixtures("small_parts")
def test_every_request_names_the_owner_and_every_write_the_key(bucket, s3, requests, large):
    fill(bucket, ["a", "in/.tmp-1"], large.read_bytes())
    s3.create_multipart_upload(Bucket=bucket, Key="in/x")
    requests.clear()
    storage = S3Storage(AwsAccess(ACCESS.region, kms_key=KEY, bucket_owner=OWNER))
    at = f"s3://{bucket}"
    small, folder = large.with_name("small"), large.with_name("folder")
    small.write_bytes(b"x")
    folder.mkdir()
    (folder / "x").write_bytes(b"x")
    etag = storage.put_if(f"{at}/if", b"1", None)
    storage.put_if(f"{at}/if", b"2", etag)
    storage.write(f"{at}/w", b"1")
    for path in (large, small):
        storage.deliver(path, f"{at}/to/{path.name}")
    storage.deliver_folder(folder, f"{at}/folder")
    for name in ("w", "a"):
        storage.copy(f"{at}/{name}", f"{at}/copy/{name}")
    storage.local_copies([f"{at}/a", f"{at}/w"])
    storage.delete_temporary(f"{at}/in", idle_s=0.001)
    (
        storage.read(f"{at}/w"),
        list(storage.list(at)),
        list(storage.folders(at)),
        storage.age(f"{at}/w"),
    )
    storage.sha256(f"{at}/w"), storage.stat(f"{at}/w"), storage.delete(f"{at}/w")
    storage.remove_atomically(f"{at}/to")
    asked = {name for name, _ in requests}
    assert asked >= {
        "PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy",
        "CompleteMultipartUpload", "HeadObject", "GetObject", "ListObjectsV2", "DeleteObject",
        "DeleteObjects", "ListMultipartUploads", "ListParts", "AbortMultipartUpload",
    }  # fmt: skip
    assert [name for name, params in requests if params.get("ExpectedBucketOwner") != OWNER] == []
    for name, params in requests:
        if name in {"PutObject", "CopyObject", "CreateMultipartUpload"}:
            assert (params["ServerSideEncryption"], params["SSEKMSKeyId"]) == ("aws:kms", KEY), name
        if "CopySource" in params:
            assert params["ExpectedSourceBucketOwner"] == OWNER


def test_a_bucket_that_is_not_there_is_a_matter_of_configuration(storage):
    for use in (
        lambda: list(storage.list("s3://nobody/x")),
        lambda: storage.read("s3://nobody/x"),
        lambda: storage.write("s3://nobody/x", b""),
        lambda: storage.put_if("s3://nobody/x", b"", None),
        lambda: storage.put_if("s3://nobody/x", b"", "0" * 32),
    ):
        with pytest.raises(UsageError, match="there is no such bucket") as failure:
            use()
        assert exit_code_of(failure.value) == 2
        assert "s3://nobody" in str(failure.value)


@pytest.mark.pitfall(41)
def test_a_read_that_is_refused_names_the_permission_and_the_object(storage, bucket, s3, hook):
    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    hook("before-call.s3.GetObject", refuse)
    with pytest.raises(UsageError, match=f"allow s3:GetObject on s3://{bucket}/a"):
        storage.read(f"s3://{bucket}/a")
