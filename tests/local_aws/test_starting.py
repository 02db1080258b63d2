"""The local AWS takes no call before its Athena can run a query."""

import urllib.error
import urllib.request

import pytest

from tests.local_aws.server import LocalAws


def is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_/calls", timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@pytest.fixture
def aws():
    aws = LocalAws()
    yield aws
    aws.stop()


def test_calls_are_refused_until_what_runs_the_queries_is_ready(aws, monkeypatch):
    seen = []

    def open_slowly(url: str) -> None:
        seen.append((is_answered(url), is_answered(aws.endpoint_url)))

    monkeypatch.setattr(aws.backend, "open", open_slowly)
    aws.start()
    assert seen == [(True, False)]
    assert is_answered(aws.endpoint_url)


def test_nothing_is_answered_where_queries_cannot_be_run(aws, monkeypatch):
    urls = [aws.endpoint_url]

    def fail(url: str) -> None:
        urls.append(url)
        raise RuntimeError("it did not start")

    monkeypatch.setattr(aws.backend, "open", fail)
    with pytest.raises(RuntimeError, match="it did not start"):
        aws.start()
    assert [is_answered(url) for url in urls] == [False, False]
