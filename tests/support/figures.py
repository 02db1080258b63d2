"""The figures that a run keeps of its feeds, as the contract has them, in plain Python."""

from collections import Counter

from healthpipe.ingest.manifest import feed_of
from tests.support.oracle import Facility, Oracle, is_given, list_of, numbered, scalar, text


def expected_figures(oracle: Oracle) -> dict[str, dict]:
    """The figures of the current records by feed, without counts that are 0."""
    feeds: dict[str, list[Facility]] = {}
    for facility in oracle.current:
        feeds.setdefault(feed_of(facility.source), []).append(facility)
    return {feed: without_zeros(_figures(oracle, held)) for feed, held in feeds.items()}


def without_zeros(figures: dict) -> dict:
    """The counts of a document that are not 0."""
    return {
        name: without_zeros(value) if isinstance(value, dict) else value
        for name, value in figures.items()
        if value
    }


def _figures(oracle: Oracle, facilities: list[Facility]) -> dict:
    words = oracle.options.null_words
    listed = [list_of(facility.record.get("accreditations")) for facility in facilities]
    objects = [item for items in listed for item in items if isinstance(item, dict)]
    latest = [max((d for d in f.accreditations if d), default=None) for f in facilities]
    return {
        "records": len(facilities),
        "items": sum(map(len, listed)),
        "objects": len(objects),
        "given_dates": sum(is_given(item.get("valid_until"), words) for item in objects),
        "dates": sum(d is not None for f in facilities for d in f.accreditations),
        "accredited": sum(oracle.is_accredited(facility) for facility in facilities),
        "fields": Counter(name for each in facilities for name in _fields(each.record, words)),
        "reasons": Counter(reason for facility in facilities for reason in facility.issues),
        "snapshots": Counter(f.snapshot.isoformat() for f in facilities if f.snapshot),
        "expiries": Counter(day.isoformat() for day in latest if day),
    }


def _fields(record: dict, words: tuple[str, ...]) -> list[str]:
    """The fields that a record has."""
    location = record.get("location")
    inside = location if isinstance(location, dict) else {}
    accreditations = [item for _, item in numbered(record.get("accreditations"))]
    found = {
        "facility_name": text(record.get("facility_name"), words),
        "location": location,
        "location.address": scalar(inside.get("address")),
        "location.city": scalar(inside.get("city")),
        "location.state": text(inside.get("state"), words),
        "location.zip": scalar(inside.get("zip")),
        **{key: record.get(key) for key in ("employee_count", "snapshot_date")},
        **{key: record.get(key) for key in ("services", "labs", "accreditations")},
    }
    for name in ("accreditation_body", "accreditation_id"):
        texts = (scalar(item.get(name)) for item in accreditations)
        found[name] = next((each for each in texts if each is not None), None)
    given = any(is_given(item.get("valid_until"), words) for item in accreditations)
    return [name for name, value in found.items() if value is not None] + ["valid_until"] * given
