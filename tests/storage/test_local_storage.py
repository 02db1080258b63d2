"""Files of this machine: whole or not at all, and nothing left behind."""

import errno
import hashlib
import os
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from healthpipe.errors import ServiceFailed, exit_code_of
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.local import LocalStorage

pytestmark = pytest.mark.durable
STORAGE = LocalStorage()
PATIENCE = 10
OLD, NEW = b"old content that is longer", b"new content"


def etag_of(uri):
    return STORAGE.read(str(uri))[1]


def put_new(uri, content):
    STORAGE.put_if(str(uri), content, etag_of(uri) if uri.is_file() else None)


def deliver(uri, content):
    with tempfile.TemporaryDirectory() as elsewhere:
        local = Path(elsewhere, "finished")
        local.write_bytes(content)
        STORAGE.deliver(local, str(uri))
        assert not local.exists()


def copy(uri, content):
    with tempfile.TemporaryDirectory() as elsewhere:
        source = Path(elsewhere, "source")
        source.write_bytes(content)
        STORAGE.copy(str(source), str(uri))
        assert source.read_bytes() == content


WAYS = [lambda uri, content: STORAGE.write(str(uri), content), put_new, deliver, copy]
every_way = pytest.mark.parametrize("put", WAYS, ids=["write", "put_if", "deliver", "copy"])


def files_in(folder):
    """The names of all files, temporary ones and locks among them."""
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


@every_way
def test_a_file_and_its_folders_are_made(put, tmp_path):
    target = tmp_path / "a" / "b" / "file"
    put(target, NEW)
    assert target.read_bytes() == NEW
    assert files_in(tmp_path) == ["file"]


@every_way
def test_a_file_is_replaced_whole_and_never_overwritten_in_place(put, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(OLD)
    with target.open("rb", buffering=0) as reader:
        put(target, NEW)
        assert reader.read() == OLD
    assert target.read_bytes() == NEW
    assert files_in(tmp_path) == ["file"]


@pytest.fixture
def full_disk(monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


@every_way
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(put, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(OLD)
    with pytest.raises(ServiceFailed) as failure:
        put(target, NEW)
    assert exit_code_of(failure.value) == 4
    assert target.read_bytes() == OLD
    assert files_in(tmp_path) == ["file"]


@every_way
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_named_as_what_it_is(put, tmp_path):
    with pytest.raises(ServiceFailed, match="disk is full"):
        put(tmp_path / "file", NEW)


@every_way
def test_a_place_that_cannot_be_written_is_a_failure_from_outside(put, tmp_path):
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(ServiceFailed) as failure:
        put(tmp_path / "file" / "below a file", NEW)
    assert exit_code_of(failure.value) == 4
    assert files_in(tmp_path) == ["file"]


def test_a_reader_sees_one_version_or_the_other_but_never_a_part(tmp_path):
    uri, versions = str(tmp_path / "file"), [b"a" * 300_000, b"b" * 500_000]
    STORAGE.write(uri, versions[0])
    done = threading.Event()

    def read_all_the_time():
        seen = set()
        while not done.is_set():
            seen.add(STORAGE.read(uri)[0])
        return seen

    with ThreadPoolExecutor() as pool:
        seen = pool.submit(read_all_the_time)
        try:
            for number in range(50):
                STORAGE.write(uri, versions[number % 2])
        finally:
            done.set()
        assert seen.result() <= set(versions)
    assert files_in(tmp_path) == ["file"]


def test_a_conditional_write_needs_the_etag_of_what_is_there(tmp_path):
    uri = str(tmp_path / "file")
    with pytest.raises(PreconditionFailed):
        STORAGE.put_if(uri, NEW, "0" * 64)
    assert STORAGE.read(uri) is None
    STORAGE.put_if(uri, OLD, None)
    seen = etag_of(uri)
    for wrong in (None, "0" * 64):
        with pytest.raises(PreconditionFailed):
            STORAGE.put_if(uri, NEW, wrong)
    assert STORAGE.read(uri) == (OLD, seen)
    STORAGE.put_if(uri, NEW, seen)
    with pytest.raises(PreconditionFailed):
        STORAGE.put_if(uri, OLD, seen)
    assert STORAGE.read(uri)[0] == NEW


@pytest.mark.parametrize("is_there", [True, False])
def test_of_two_writers_with_the_same_etag_exactly_one_wins(is_there, tmp_path):
    for number in range(20):
        uri = str(tmp_path / f"file{number}")
        if is_there:
            STORAGE.write(uri, OLD)
        etag, start = etag_of(uri) if is_there else None, threading.Barrier(2, timeout=PATIENCE)

        def attempt(content, uri=uri, etag=etag, start=start):
            start.wait()
            try:
                STORAGE.put_if(uri, content, etag)
            except PreconditionFailed:
                return None
            return content

        with ThreadPoolExecutor(2) as pool:
            winners = set(pool.map(attempt, (b"one", b"two"))) - {None}
        assert winners == {Path(uri).read_bytes()}


def test_the_etag_tells_contents_apart(tmp_path):
    etags = []
    for content in (OLD, NEW, OLD):
        STORAGE.write(str(tmp_path / "file"), content)
        etags.append(etag_of(tmp_path / "file"))
    assert etags[0] == etags[2] != etags[1]


@pytest.mark.parametrize("dangling", [False, True])
def test_a_delivery_through_a_symlink_keeps_the_link(dangling, tmp_path):
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    target.parent.mkdir()
    if not dangling:
        target.write_bytes(OLD)
    link.symlink_to(Path("real", "file"))
    deliver(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert not target.is_symlink()


@pytest.fixture
def device(tmp_path):
    """Makes a device like one in /dev, where that is allowed: a test must not break the real."""

    def make(name):
        real, own = Path("/dev", name), tmp_path / name
        try:
            os.mknod(own, stat.S_IFCHR | 0o666, real.stat().st_rdev)
            own.open("wb").close()
        except OSError:
            own.unlink(missing_ok=True)
            return real
        return own

    return make


def test_a_delivery_to_the_null_device_leaves_it_a_device(device):
    null = device("null")
    deliver(null, NEW)
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_delivery_to_a_full_device_fails_from_outside(device, tmp_path):
    full, local = device("full"), tmp_path / "local"
    local.write_bytes(NEW)
    with pytest.raises(ServiceFailed, match="disk is full") as failure:
        STORAGE.deliver(local, str(full))
    assert exit_code_of(failure.value) == 4
    assert stat.S_ISCHR(full.stat().st_mode)


def test_a_delivery_to_a_pipe_reaches_its_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        deliver(tmp_path / "pipe", NEW)
        assert os.read(reader, 1000) == NEW
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another file system, from which nothing can be renamed."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def test_a_delivery_from_another_file_system_is_whole_too(elsewhere, tmp_path):
    (elsewhere / "finished").write_bytes(NEW)
    (elsewhere / "finished").chmod(0o600)
    (tmp_path / "file").write_bytes(OLD)
    STORAGE.deliver(elsewhere / "finished", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert (files_in(tmp_path), files_in(elsewhere)) == (["file"], [])


@pytest.mark.usefixtures("full_disk")
def test_a_failed_delivery_from_another_file_system_leaves_nothing_behind(elsewhere, tmp_path):
    (elsewhere / "finished").write_bytes(NEW)
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(ServiceFailed):
        STORAGE.deliver(elsewhere / "finished", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == OLD
    assert files_in(tmp_path) == ["file"]


def test_a_copy_returns_its_sha256(tmp_path):
    (tmp_path / "small").write_bytes(b"abc")
    (tmp_path / "large").write_bytes(large := b"0123456789" * 300_000)
    abc = STORAGE.copy(str(tmp_path / "small"), str(tmp_path / "to" / "small"))
    assert abc == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    digest = STORAGE.copy(str(tmp_path / "large"), str(tmp_path / "to" / "large"))
    assert digest == hashlib.sha256(large).hexdigest()
    assert (tmp_path / "to" / "large").read_bytes() == large


def test_a_listing_shows_files_at_any_depth_with_their_size(tmp_path):
    for size, name in enumerate(["b", "a", "f/d", "f/c", "f/g/h/i"]):
        STORAGE.write(f"{tmp_path}/{name}", b"x" * size)
    listed = list(STORAGE.list(str(tmp_path)))
    sizes = {file.uri.removeprefix(f"{tmp_path}/"): file.size for file in listed}
    assert sizes == {"b": 0, "a": 1, "f/d": 2, "f/c": 3, "f/g/h/i": 4}
    assert [file.uri[-1] for file in listed if file.uri[-2:] in ("/a", "/b")] == ["a", "b"]
    assert list(STORAGE.list(f"{tmp_path}/missing")) == []


def test_a_folder_is_removed_with_all_in_it_if_it_is_there(tmp_path):
    STORAGE.write(f"{tmp_path}/a/b/c", NEW)
    for _ in range(2):
        STORAGE.delete_folder(f"{tmp_path}/a")
    assert list(tmp_path.iterdir()) == []


def test_the_folders_of_a_folder_are_those_directly_in_it(tmp_path):
    for name in ("b/x", "a/c/x", ".d/x", "file"):
        STORAGE.write(f"{tmp_path}/in/{name}", NEW)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "in" / "a")

    assert list(STORAGE.folders(f"{tmp_path}/in")) == [
        f"{tmp_path}/in/{n}" for n in (".d", "a", "b")
    ]
    for none in ("missing", "in/file"):
        assert list(STORAGE.folders(f"{tmp_path}/{none}")) == []


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path):
    STORAGE.write(f"{tmp_path}/file", b"abc")

    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert STORAGE.sha256(f"{tmp_path}/file") == digest


def test_a_file_is_removed_if_it_is_there(tmp_path):
    STORAGE.write(f"{tmp_path}/file", NEW)
    for _ in range(2):
        STORAGE.delete(f"{tmp_path}/file")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ServiceFailed, match="cannot remove"):
        STORAGE.delete(str(tmp_path))


def test_a_folder_is_withdrawn_whole_if_it_is_there(tmp_path, monkeypatch):
    STORAGE.remove_atomically(f"{tmp_path}/a")
    STORAGE.write(f"{tmp_path}/a/b/c", NEW)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda _: None)  # killed before it removes anything
        STORAGE.remove_atomically(f"{tmp_path}/a")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".tmp-")
    assert (left / "b" / "c").read_bytes() == NEW

    STORAGE.remove_atomically(str(left))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_withdrawn_is_said_from_outside(tmp_path, monkeypatch):
    STORAGE.write(f"{tmp_path}/a/b", NEW)

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(ServiceFailed, match="Permission denied") as failure:
        STORAGE.remove_atomically(f"{tmp_path}/a")
    assert exit_code_of(failure.value) == 4


@pytest.mark.parametrize("is_conditional", [False, True])
def test_what_a_dead_writer_left_is_deleted_at_once_but_not_what_a_live_one_writes(
    tmp_path, monkeypatch, is_conditional
):
    written, may_end = threading.Event(), threading.Event()

    def wait(path):
        written.set()
        may_end.wait(10)

    def write():
        if is_conditional:
            STORAGE.put_if(f"{tmp_path}/a/document", NEW, None)
        else:
            STORAGE.write(f"{tmp_path}/a/document", NEW)

    dead = tmp_path / "b" / ".tmp-1"
    dead.parent.mkdir()
    dead.write_bytes(NEW)
    monkeypatch.setattr("healthpipe.storage.local._fsync", wait)
    writer = threading.Thread(target=write)
    writer.start()
    assert written.wait(10)
    STORAGE.delete_temporary(str(tmp_path), idle_s=3600)
    may_end.set()
    writer.join()

    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"document"}
