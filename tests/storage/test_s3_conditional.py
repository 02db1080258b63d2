"""Conditional writes on S3: one wins, and a lost answer is no lost write."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from botocore.httpsession import URLLib3Session

from healthpipe.errors import ServiceFailed, UsageError
from healthpipe.storage.base import PreconditionFailed
from healthpipe.storage.s3 import requests as s3_requests
from tests.support.s3_server import fill

pytest_plugins = ["tests.support.s3_server"]

OLD, NEW, OTHERS = b"old", b"new", b"what somebody else wrote"


@pytest.fixture
def uri(bucket):
    """Where the tests write."""
    return f"s3://{bucket}/state/lease.json"


def puts(requests):
    return [params for name, params in requests if name == "PutObject"]


def test_a_conditional_write_needs_the_etag_of_what_is_there(storage, uri):
    with pytest.raises(PreconditionFailed):
        storage.put_if(uri, NEW, "0" * 32)
    assert storage.read(uri) is None
    first = storage.put_if(uri, OLD, None)
    assert storage.read(uri) == (OLD, first)
    for wrong in (None, "0" * 32):
        with pytest.raises(PreconditionFailed):
            storage.put_if(uri, NEW, wrong)
    second = storage.put_if(uri, NEW, first)
    assert storage.read(uri) == (NEW, second)
    with pytest.raises(PreconditionFailed):
        storage.put_if(uri, OLD, first)
    assert storage.read(uri) == (NEW, second)


def test_the_same_content_twice_is_still_two_writes(storage, uri):
    storage.put_if(uri, NEW, None)
    with pytest.raises(PreconditionFailed):
        storage.put_if(uri, NEW, None)


def answers_lost(hook, times):
    """Have S3 perform writes and lose its answers on the way back; the statuses that it gave."""
    given = []

    def drop(request, **_):
        answer = URLLib3Session().send(request)
        given.append(answer.status_code)
        if len(given) <= times:
            raise ConnectionClosedError(endpoint_url="http://s3")
        return answer

    hook("before-send.s3.PutObject", drop)
    return given


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("content", [NEW, OLD], ids=["new content", "the same content"])
def test_a_write_whose_answer_is_lost_was_done_once(storage, uri, hook, is_there, content):
    etag = storage.put_if(uri, OLD, None) if is_there else None
    given = answers_lost(hook, 1)
    written = storage.put_if(uri, content, etag)
    assert given[0] == 200
    assert set(given[1:]) <= ({412} if content == NEW or not is_there else {200})
    assert storage.read(uri) == (content, written)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_write_of_which_no_answer_arrives_is_looked_for(storage, uri, hook, is_there):
    etag = storage.put_if(uri, OLD, None) if is_there else None
    given = answers_lost(hook, 1000)
    written = storage.put_if(uri, NEW, etag)
    assert given == [200] + [412] * (len(given) - 1)
    assert storage.read(uri) == (NEW, written)


def test_a_lost_write_that_never_arrived_is_a_failure_and_no_conflict(storage, uri, hook):
    def cut(**_):
        raise EndpointConnectionError(endpoint_url="http://s3")

    hook("before-call.s3.PutObject", cut)
    with pytest.raises(ServiceFailed, match="cannot be reached"):
        storage.put_if(uri, NEW, None)
    assert storage.read(uri) is None


def test_somebody_elses_write_after_a_lost_one_is_a_conflict(storage, bucket, uri, hook):
    def replaced(**_):
        fill(bucket, ["state/lease.json"], OTHERS)
        raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")

    hook("before-call.s3.PutObject", replaced)
    with pytest.raises(PreconditionFailed):
        storage.put_if(uri, NEW, None)
    assert storage.read(uri)[0] == OTHERS


def conflicts(hook, times):
    left = [times]

    def refuse(**_):
        if left[0]:
            left[0] -= 1
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    hook("before-call.s3.PutObject", refuse)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_409_is_tried_again(storage, uri, hook, requests, is_there):
    etag = storage.put_if(uri, OLD, None) if is_there else None
    requests.clear()
    conflicts(hook, 3)
    written = storage.put_if(uri, NEW, etag)
    assert storage.read(uri) == (NEW, written)
    assert len(puts(requests)) == 4
    assert len({params["Metadata"]["healthpipe-nonce"] for params in puts(requests)}) == 1


def test_409_without_end_is_a_failure_that_a_retry_may_help(storage, uri, hook, requests):
    conflicts(hook, 1000)
    with pytest.raises(ServiceFailed):
        storage.put_if(uri, NEW, None)
    assert len(puts(requests)) == s3_requests.ATTEMPTS


def test_each_write_carries_a_nonce_of_its_own(storage, uri, requests):
    first = storage.put_if(uri, OLD, None)
    storage.put_if(uri, NEW, first)
    nonces = [params["Metadata"]["healthpipe-nonce"] for params in puts(requests)]
    assert len(set(nonces)) == len(nonces) == 2


def test_a_write_that_is_refused_names_the_permission(storage, uri, hook):
    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    hook("before-call.s3.PutObject", refuse)
    with pytest.raises(UsageError, match=f"allow s3:PutObject on {uri}"):
        storage.put_if(uri, NEW, None)


def test_of_many_writers_one_after_the_other_none_is_lost(storage, uri):
    """moto looks and writes in two steps, so the writers take turns at its door."""
    storage.put_if(uri, b"0", None)
    door, won = threading.Lock(), []

    def count(number):
        while True:
            content, etag = storage.read(uri)
            try:
                with door:
                    storage.put_if(uri, str(int(content) + 1).encode(), etag)
            except PreconditionFailed:
                continue
            won.append(number)
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(8)))
    assert storage.read(uri)[0] == b"8"
    assert sorted(won) == list(range(8))
