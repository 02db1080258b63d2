"""Judge what the records of a run mean, feed by feed: broken rules and fields that vanished.

A sender who changes its export breaks no line. What changes is how many records break a rule, or
have a field, so these are compared with bounds and with the live run. `drops` judges how much less
there is, and what is different.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import add

from healthpipe.choices import Gate
from healthpipe.contract import Reason, Severity
from healthpipe.publishing.gates import JUDGED_RULES, GateResult, Gates, Level, Threshold
from healthpipe.stages.figures import COUNTED_FIELDS, FeedFigures, RunFigures
from healthpipe.stages.rules import Rules

# A gate fails where at least so many records are affected, or so many and all of them.
MIN_AFFECTED, MIN_AFFECTED_OF_ALL = 5, 3
# What files that are new must hold for their records to be judged by themselves.
MIN_ARRIVED = 20
# A rate that is at most so many points above the live run's only warns.
POINTS_ABOVE_LIVE = 5
# A field has vanished if so many percent of the live records had it, and none has it now.
COMMON_FIELD = Threshold.parse("20%")
# How far ahead of the as-of date a snapshot may be dated: senders live in other time zones.
DAYS_AHEAD = 1
# Fields whose own fields vanish with them.
PARENTS = {
    "location.address": "location",
    "location.city": "location",
    "location.state": "location",
    "location.zip": "location",
    "accreditation_body": "accreditations",
    "accreditation_id": "accreditations",
    "valid_until": "accreditations",
}
ALL_FEEDS = "all feeds"
WORST_FIRST = (Level.FAIL, Level.WARN, Level.OK)


def latest_usable(as_of: date) -> date:
    """The last day that counts as a snapshot date."""
    return min(as_of, date.max - timedelta(DAYS_AHEAD)) + timedelta(DAYS_AHEAD)


@dataclass(frozen=True)
class Comparison:
    """The figures of a run and, where they are known, of the live run that it is compared with."""

    as_of: date
    new: RunFigures
    live: RunFigures | None

    @property
    def latest_usable(self) -> date:
        """The last day that counts as a snapshot date."""
        return latest_usable(self.as_of)

    def feeds(self) -> Iterator[tuple[str, FeedFigures, FeedFigures | None]]:
        """Each feed that has current records, with its figures in the new and in the live run."""
        for feed, figures in sorted(self.new.feeds.items()):
            yield feed, figures, self.live.feeds.get(feed) if self.live else None

    def totals(self) -> tuple[FeedFigures, FeedFigures | None]:
        """The sum of all feeds, in the new and in the live run."""
        live = total(self.live.feeds.values()) if self.live else None
        return total(self.new.feeds.values()), live

    def populations(self) -> Iterator[tuple[str, str, FeedFigures, FeedFigures | None]]:
        """What is judged of each feed: its current records, and those of the files that are new.

        The second is what they are called. Of several feeds the sum, too: many small ones may all
        be wrong, and each too small to fail.
        """
        for feed, figures, live in self.feeds():
            yield feed, "", figures, live
        for feed, figures in sorted((self.new.arrived or {}).items()):
            if figures.records >= MIN_ARRIVED:
                live = self.live.feeds.get(feed) if self.live else None
                yield feed, " of new files", figures, live
        if len(self.new.feeds) > 1:
            yield ALL_FEEDS, "", *self.totals()


def judge_issues(comparison: Comparison, gates: Gates, rules: Rules) -> list[GateResult]:
    """Judge, for each feed and rule, how many of the records that could break it do."""
    judged = [reason for reason in JUDGED_RULES if rules.severities[reason] is Severity.WARN]
    found = [
        _judge_rate(reason, gates, population)
        for population in comparison.populations()
        for reason in judged
    ]
    shown = _worst_of_each(result for result in found if result.level is not Level.OK)
    return shown or [fine(Gate.ISSUES, f"no rule is broken by more than {gates.issues.maximum}")]


def rate_of(reason: Reason, figures: FeedFigures) -> tuple[int, int, str]:
    """How often a rule is broken, out of how many, and what is counted."""
    match reason:
        case Reason.ACCREDITATION_INVALID:
            return figures.items - figures.objects, figures.items, "accreditations"
        case Reason.ACCREDITATION_DATE_MISSING:
            return figures.objects - figures.given_dates, figures.objects, "accreditations"
        case Reason.ACCREDITATION_DATE_INVALID:
            return figures.given_dates - figures.dates, figures.given_dates, "dates"
        case _:
            field = FIELD_OF_RULE.get(reason)
            of = figures.fields.get(field, 0) if field else figures.records
            return figures.reasons.get(reason, 0), of, "records"


# Rules that only a record that has the field can break.
FIELD_OF_RULE = {
    Reason.EMPLOYEE_COUNT_INVALID: "employee_count",
    Reason.SERVICES_INVALID: "services",
    Reason.LABS_INVALID: "labs",
    Reason.ACCREDITATIONS_INVALID: "accreditations",
    Reason.STATE_NOT_RECOGNISED: "location.state",
    Reason.SNAPSHOT_DATE_INVALID: "snapshot_date",
}


def may_fail(affected: int, *, are_all: bool) -> bool:
    """Whether enough records or facilities are affected for a gate to fail."""
    return affected >= (MIN_AFFECTED_OF_ALL if are_all else MIN_AFFECTED)


def percent_text(count: int, of: int) -> str:
    """A share as a whole percentage, above zero at least 1."""
    return f"{max(1, round(100 * count / of)) if count else 0} %"


def _judge_rate(
    reason: Reason, gates: Gates, population: tuple[str, str, FeedFigures, FeedFigures | None]
) -> GateResult:
    feed, name, figures, live = population
    count, of, what = rate_of(reason, figures)
    level, limit = gates.of_rule(reason).judge(count, of)
    message = (
        f"{reason}: {count:,} of {of:,} {what}{name} in {feed} ({percent_text(count, of)}), "
        f"more than {limit}"
        if of
        else f"{reason}: nothing to judge in {feed}"
    )
    affected = figures.reasons.get(reason, 0)
    if level is Level.FAIL and not may_fail(affected, are_all=count == of):
        level, message = Level.WARN, f"{message}; too few to fail"
    if level is Level.FAIL and live and _is_like_live(count, of, rate_of(reason, live)):
        level, message = Level.WARN, f"{message}, as in the live run"
    return GateResult(Gate.ISSUES, level, count, str(limit), message, feed, reason)


def _is_like_live(count: int, of: int, live: tuple[int, int, str]) -> bool:
    """Whether a rate is at most some points above that of the live run."""
    live_count, live_of, _ = live
    if not live_of:
        return False
    return 100 * (count * live_of - live_count * of) <= POINTS_ABOVE_LIVE * of * live_of


def judge_fields(comparison: Comparison) -> list[GateResult]:
    """Judge whether a field that the live run's records had is in none of a feed now."""
    if comparison.live is None:
        return [fine(Gate.FIELDS, "fields not judged: there is no live run with figures")]
    found = []
    for feed, name, figures, live in comparison.populations():
        gone = vanished_fields(figures, live) if live and figures.records else []
        level = Level.FAIL if may_fail(figures.records, are_all=True) else Level.WARN
        for field in gone:
            had = live.fields[field] if live else 0
            message = (
                f"{field} is in none of {figures.records:,} records{name} in {feed}, "
                f"and was in {had:,} live ones"
            )
            found.append(GateResult(Gate.FIELDS, level, figures.records, "0", message, feed, field))
    return _worst_of_each(found) or [fine(Gate.FIELDS, "no field of the live run has vanished")]


def vanished_fields(figures: FeedFigures, live: FeedFigures) -> list[str]:
    """The fields that no record has now and many live ones had, without those inside of others."""
    gone = [
        field
        for field in COUNTED_FIELDS
        if not figures.fields.get(field)
        and live.fields.get(field)
        and live.fields[field] * 100 >= int(COMMON_FIELD.percent or 0) * live.records
    ]
    return [field for field in gone if PARENTS.get(field) not in gone]


def total(figures: Iterable[FeedFigures]) -> FeedFigures:
    """The sum of the figures of feeds."""
    return reduce(add, figures, FeedFigures())


def _worst_of_each(results: Iterable[GateResult]) -> list[GateResult]:
    """Of the results about the same the worst one, the larger count first.

    All feeds together have none where one of them has as bad a one.
    """
    worst: dict[str, GateResult] = {}
    said = set[tuple[str | None, Level]]()
    in_order = sorted(
        results, key=lambda r: (WORST_FIRST.index(r.level), r.feed == ALL_FEEDS, -r.actual)
    )
    for result in in_order:
        about = result.subject, result.level
        if result.feed != ALL_FEEDS or about not in said:
            worst.setdefault(result.key, result)
            said.add(about)
    return list(worst.values())


def fine(gate: Gate, message: str) -> GateResult:
    """The result of a gate that has nothing to say of any feed."""
    return GateResult(gate, Level.OK, 0, None, message)
