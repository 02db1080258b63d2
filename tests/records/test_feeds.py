"""Feeds: which files are the deliveries of one sender, by their names alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthpipe.ingest.manifest import feed_of


@pytest.mark.parametrize(
    ("source", "feed"),
    [
        ("facilities.jsonl", "facilities.jsonl"),
        ("2026-02-14/facilities.jsonl", "facilities.jsonl"),
        ("snapshot_date=2026-02-14/facilities.jsonl", "facilities.jsonl"),
        ("west/2026-02-14/part-0007.jsonl.gz", "west/part-#.jsonl.gz"),
        ("2026-02-14/west/part-0007.jsonl.gz", "west/part-#.jsonl.gz"),
        ("2026-02-14", "#-#-#"),
        ("2026-02-30/a.json", "#-#-#/a.json"),
        ("2026/02/14/a.json", "#/#/#/a.json"),
        ("export 20260214T060000.zip!page1.json", "export #T#.zip!page#.json"),
        ("/abs/2026-02-14/a.json", "/abs/a.json"),
        (f"2026-02-14/replayed-{'0a' * 32}.ndjson", "replayed-#.ndjson"),
        (f"2026-02-15/replayed-{'1f' * 32}.ndjson.gz", "replayed-#.ndjson"),
    ],
)
def test_the_feed_of_a_name(source, feed):
    assert feed_of(source) == feed


NAMES = st.text(st.sampled_from("ab1٣-/."), min_size=1)
DATES = st.dates().map(str)


@given(NAMES, DATES, DATES)
def test_another_date_or_number_is_the_same_feed(name, one, other):
    assert feed_of(f"{one}/{name}7.json") == feed_of(f"snapshot_date={other}/{name}12.json")


@given(NAMES)
def test_a_feed_is_a_feed_of_itself(name):
    assert feed_of(feed_of(name)) == feed_of(name)
