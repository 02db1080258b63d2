"""A lease: one holder at a time, judged by the storage's clock."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from healthpipe.errors import Interrupted, ServiceFailed
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.lease import VALID_S, Lease, LeaseLost, this_machine
from healthpipe.storage.local import LocalStorage


class Clocked(LocalStorage):
    """A storage whose clock a test sets: how long ago all was written."""

    passed = 0.0

    def age(self, uri):
        return self.passed if self.stat(uri) else None


class Answers(Clocked):
    """A storage that writes and then says something else, once."""

    instead: Exception | None = None

    def put_if(self, uri, content, etag):
        written = super().put_if(uri, content, etag)
        if self.instead:
            instead, self.instead = self.instead, None
            raise instead
        return written


@pytest.fixture
def storage():
    return Clocked()


@pytest.fixture
def lease(storage, tmp_path):
    return Lease(storage, str(tmp_path / "state" / "lock.json"))


def written(lease) -> dict:
    return json.loads(lease.storage.read(lease.uri)[0])


def rewritten(lease, **changes):
    """The lease as somebody else would have written it."""
    lease.storage.write(lease.uri, json.dumps(written(lease) | changes).encode())


def test_one_holder_at_a_time_has_it_and_is_named(lease):
    held = lease.acquire("first")

    assert lease.acquire("second") is None
    told = lease.read()
    assert (told["holder"], told["pid"]) == ("first", os.getpid())
    assert {"host", "since", "nonce"} <= set(told)
    held.release()


def test_given_back_it_is_free_at_once(lease):
    lease.acquire("first").release()
    assert lease.read() is None
    second = lease.acquire("second")
    assert lease.read()["holder"] == "second"
    second.release(delete=True)
    assert lease.storage.stat(lease.uri) is None


def test_it_is_over_when_it_was_not_written_for_its_validity(lease, storage):
    first = lease.acquire("first")
    storage.passed = VALID_S - 1
    assert lease.acquire("second") is None
    storage.passed = VALID_S
    assert lease.read() is None
    second = lease.acquire("second")
    storage.passed = 0
    assert lease.read()["holder"] == "second"

    with pytest.raises(LeaseLost):
        first.renew()
    first.release()
    assert lease.read()["holder"] == "second", "who lost it cannot give it back"
    second.release()


def test_of_two_that_find_it_over_one_has_it(lease, storage):
    lease.acquire("first").release()
    rewritten(lease, is_free=False)
    winners = []

    def rival_is_quicker(uri):
        storage.age = lambda _: VALID_S
        winners.append(lease.acquire("second"))
        return VALID_S

    storage.age = rival_is_quicker
    assert lease.acquire("third") is None
    assert written(lease)["holder"] == "second"
    winners[0].release()


def test_it_is_renewed_while_it_is_held(tmp_path):
    class Counting(LocalStorage):
        writes = 0
        renewed = threading.Event()

        def put_if(self, uri, content, etag):
            self.writes += 1
            if self.writes == 3:
                self.renewed.set()
            return super().put_if(uri, content, etag)

    storage = Counting()
    held = Lease(storage, str(tmp_path / "lock.json"), valid_s=0.03).acquire("first")
    assert storage.renewed.wait(20)
    held.release()
    assert json.loads(storage.read(str(tmp_path / "lock.json"))[0])["is_free"]


@pytest.mark.parametrize("when", ["taken", "renewed", "given back"])
def test_a_lost_answer_to_a_write_of_ours_is_no_refusal(tmp_path, when):
    storage = Answers()
    lease = Lease(storage, str(tmp_path / "lock.json"))
    lost = PreconditionFailed(lease.uri)  # botocore's second try meets what its first wrote

    storage.instead = lost if when == "taken" else None
    held = lease.acquire("first")
    storage.instead = lost if when == "renewed" else None
    held.renew()
    assert lease.read()["holder"] == "first"
    storage.instead = lost if when == "given back" else None
    held.release()

    assert lease.read() is None


def test_a_signal_while_it_is_taken_leaves_it_free(tmp_path):
    storage = Answers()
    lease = Lease(storage, str(tmp_path / "lock.json"))
    storage.instead = Interrupted(signal.SIGTERM)
    with pytest.raises(Interrupted):
        lease.acquire("first")
    assert lease.read() is None


def test_a_failure_to_renew_it_is_told_and_the_lease_still_ours(tmp_path):
    storage = Answers()
    held = Lease(storage, str(tmp_path / "lock.json")).acquire("first")
    storage.instead = ServiceFailed("no network", "wait")
    with pytest.raises(ServiceFailed):
        held.renew()
    held.renew()
    held.release()


@pytest.mark.skipif(this_machine() is None, reason="nothing tells this machine from others")
def test_of_a_holder_that_died_on_this_machine_it_is_over_at_once(lease):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lease.acquire("first")
    rewritten(lease, pid=ended.pid, machine="another")
    assert lease.acquire("second") is None
    rewritten(lease, pid=ended.pid, machine=this_machine())
    assert lease.read() is None
    lease.acquire("second").release()


def test_a_shared_one_goes_on_in_another_process_of_its_holder_only(lease):
    first = lease.acquire("run", is_shared=True)
    assert lease.acquire("other", is_shared=True) is None
    assert lease.acquire("run", is_shared=True), "the same run in another process"
    with pytest.raises(LeaseLost):
        first.renew()
    again = first.reacquire()
    again.renew()
    again.release()


def test_one_that_is_not_shared_is_its_process_s_alone(lease):
    held = lease.acquire("run")
    assert lease.acquire("run") is None
    assert lease.acquire("run", is_shared=True) is None
    assert lease.acquire("sweeper", is_certain=True)
    with pytest.raises(LeaseLost):
        held.renew()
    assert held.reacquire() is None


def test_a_damaged_one_is_nobody_s(lease):
    lease.storage.write(lease.uri, b"{")
    assert lease.read() is None
    lease.acquire("first").release()
