"""Judge how much less a run knows than the live run, how different that is, and how old.

Both runs are compared as of the new run's date, so that no accreditation lapses between them.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from healthpipe.choices import Accredited, Gate
from healthpipe.publishing.gates import GateResult, Gates, Level, Threshold
from healthpipe.publishing.meaning import (
    ALL_FEEDS,
    MIN_ARRIVED,
    Comparison,
    fine,
    may_fail,
    percent_text,
    total,
)
from healthpipe.stages.figures import FeedFigures, RunFigures
from healthpipe.text import span_text

# A snapshot is whole if it holds so many percent of its feed's facilities.
WHOLE_SNAPSHOT = 80
# What differs from the live run by more is warned of, from so many facilities on.
CHANGED = Threshold.parse("20%")
MIN_CHANGED = 3
Count = Callable[[FeedFigures], int]


def judge_drops(comparison: Comparison, gates: Gates) -> list[GateResult]:
    """Judge the drops in accredited facilities, in dated ones, and in the newest snapshot."""
    gates_of_drops = (Gate.ACCREDITED, Gate.DATED, Gate.NEWEST_SNAPSHOT)
    if comparison.live is None:
        why = "there is no live run with figures"
        return [fine(gate, f"{LABELS[gate]} not judged: {why}") for gate in gates_of_drops]
    return [
        *_judge_accredited(comparison, gates),
        *_judge_count(Gate.DATED, comparison, gates, lambda figures: figures.dated),
        *_judge_newest(comparison, gates),
    ]


LABELS = {
    Gate.ACCREDITED: "accredited facilities fewer than live",
    Gate.DATED: "facilities with a dated accreditation fewer than live",
    Gate.NEWEST_SNAPSHOT: "records of the newest snapshot fewer than of the live one",
}


def _judge_accredited(comparison: Comparison, gates: Gates) -> list[GateResult]:
    live, new = comparison.live, comparison.new
    if live and live.accredited is not new.accredited:
        why = f"the live run had --accredited {live.accredited}"
        return [fine(Gate.ACCREDITED, f"{LABELS[Gate.ACCREDITED]} not judged: {why}")]
    if new.accredited is Accredited.ANY:
        return _judge_count(Gate.ACCREDITED, comparison, gates, lambda figures: figures.accredited)
    day = comparison.as_of
    return _judge_count(
        Gate.ACCREDITED, comparison, gates, lambda figures: figures.accredited_on(day)
    )


def _judge_count(
    gate: Gate, comparison: Comparison, gates: Gates, count: Count
) -> list[GateResult]:
    """Judge the drop in a count of facilities, in all and in each feed that the live run had.

    A feed whose facilities come from another one now has lost nothing: of a feed that is smaller
    than it was, proportionally less is expected. That facilities are gone is for other gates.
    """
    live_feeds = comparison.live.feeds if comparison.live else {}
    found = [
        _judge_drop(
            gate,
            gates,
            ALL_FEEDS,
            count(total(live_feeds.values())),
            count(total(comparison.new.feeds.values())),
        )
    ]
    if len(live_feeds) > 1:
        for feed, figures, live in comparison.feeds():
            if live and live.records:
                share = min(figures.records, live.records)
                expected = count(live) * share // live.records
                found.append(_judge_drop(gate, gates, feed, expected, count(figures)))
    return _telling(found)


def _judge_newest(comparison: Comparison, gates: Gates) -> list[GateResult]:
    """Judge the newest snapshot of each feed against the live run's newest one.

    Older snapshots fill the gap that a short delivery leaves in the current records. New files
    without a record are a snapshot of nothing.
    """
    gate, usable = Gate.NEWEST_SNAPSHOT, comparison.latest_usable
    found: list[GateResult] = []
    for feed, figures, live in comparison.feeds():
        before = live.newest_snapshot(usable) if live else None
        if live is None or before is None:
            continue
        now, held = figures.newest_snapshot(usable), live.snapshots[before]
        is_empty = feed in comparison.new.empty_arrivals
        if not is_empty and (now is None or now <= before):
            continue
        if held * 100 < WHOLE_SNAPSHOT * live.records:
            message = f"{LABELS[gate]} not judged: deliveries of {feed} are partial"
            found.append(GateResult(gate, Level.OK, 0, None, message, feed))
        else:
            records = 0 if is_empty or now is None else figures.snapshots[now]
            found.append(_judge_drop(gate, gates, feed, held, records))
    return _telling(found) or [fine(gate, f"{LABELS[gate]} not judged: no feed has a newer one")]


def _judge_drop(gate: Gate, gates: Gates, feed: str, live: int, new: int) -> GateResult:
    drop = max(0, live - new)
    level, limit = gates.drop.judge(drop, live)
    relation = "within" if level is Level.OK else "more than"
    place = "" if feed == ALL_FEEDS else f" in {feed}"
    message = f"{LABELS[gate]} {drop:,} of {live:,}{place}, {relation} {limit}"
    if level is Level.FAIL and not may_fail(drop, are_all=new == 0):
        level, message = Level.WARN, f"{message}; too few to fail"
    return GateResult(gate, level, drop, str(limit), message, feed)


def judge_changes(comparison: Comparison) -> list[GateResult]:
    """Warn of feeds in which many facilities are new, gone, or have changed since the live run."""
    found = [] if comparison.live is None else list(_changes(comparison))
    return found or [fine(Gate.CHANGES, f"no more than {CHANGED} of the facilities has changed")]


def _changes(comparison: Comparison) -> Iterator[GateResult]:
    live_feeds = comparison.live.feeds if comparison.live else {}
    live, new = total(live_feeds.values()), total(comparison.new.feeds.values())
    yield from _judge_change("more facilities", ALL_FEEDS, new.records - live.records, live.records)
    yield from _outdated_arrivals(comparison.new)
    first_is_same = comparison.live is not None and (
        comparison.live.first_accreditation is comparison.new.first_accreditation
    )
    for feed, changes in sorted((comparison.new.changes or {}).items()):
        if len(live_feeds) > 1 and feed in live_feeds:
            yield from _judge_change("new facilities", feed, changes.added, changes.live)
        yield from _judge_change("live facilities gone", feed, changes.gone, changes.live)
        for what, count in (
            ("other names", changes.facility_name),
            ("other states", changes.state),
            ("other employee counts", changes.employee_count),
            ("other numbers of services", changes.number_of_services),
            ("other dates", changes.dates if first_is_same else 0),
        ):
            yield from _judge_change(f"facilities with {what}", feed, count, changes.kept)


def _outdated_arrivals(new: RunFigures) -> Iterator[GateResult]:
    """Warn of feeds whose new files hold no current record: what is live stays as it was."""
    for feed, figures in sorted((new.arrived or {}).items()):
        if figures.records >= MIN_ARRIVED and not new.arrived_current.get(feed):
            message = (
                f"none of {figures.records:,} records of new files in {feed} is current: "
                "others have a later snapshot date"
            )
            yield GateResult(
                Gate.CHANGES, Level.WARN, figures.records, "0", message, feed, "new files"
            )


def _judge_change(what: str, feed: str, count: int, of: int) -> Iterator[GateResult]:
    if count >= MIN_CHANGED and not CHANGED.allows(count, of):
        message = (
            f"{what} {count:,} against {of:,} live in {feed} ({percent_text(count, of)}), "
            f"more than {CHANGED}"
        )
        yield GateResult(Gate.CHANGES, Level.WARN, count, str(CHANGED), message, feed, what)


def judge_age(comparison: Comparison, gates: Gates) -> list[GateResult]:
    """Judge how old the newest snapshot of each feed is, and warn of dates in the future."""
    found: list[GateResult] = []
    for feed, figures, _ in comparison.feeds():
        newest = figures.newest_snapshot(comparison.latest_usable)
        age = None if newest is None else comparison.as_of - newest
        found += _judge_snapshot_age(feed, age, gates)
        ahead = sum(
            count for day, count in figures.snapshots.items() if day > comparison.latest_usable
        )
        if ahead:
            message = (
                f"{ahead:,} records in {feed} have a snapshot date after tomorrow: until that day "
                "no other record of their facilities is live"
            )
            found.append(GateResult(Gate.SNAPSHOT_DATES, Level.WARN, ahead, "0", message, feed))
    return found or [fine(Gate.SNAPSHOT_AGE, "snapshots are as old as they may be")]


def _judge_snapshot_age(feed: str, age: timedelta | None, gates: Gates) -> Iterator[GateResult]:
    most = gates.max_snapshot_age
    if most is None or (age is not None and age <= most):
        return
    days = 0 if age is None else age.days
    how_old = "has no usable date" if age is None else f"is {days:,} days old"
    message = f"the newest snapshot of {feed} {how_old}, more than {span_text(most)} is too old"
    yield GateResult(Gate.SNAPSHOT_AGE, Level.FAIL, days, span_text(most), message, feed)


def _telling(results: list[GateResult]) -> list[GateResult]:
    """The results that fail or warn; of others the first."""
    return [result for result in results if result.level is not Level.OK] or results[:1]
