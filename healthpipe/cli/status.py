"""The command that tells what is live and how the last run ended."""

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import AwsOptions, MessageOptions, RootOptions, SnapshotAgeOption
from healthpipe.cli.render import print_table
from healthpipe.cli.signature import expand_options, option
from healthpipe.text import elapsed_text, is_ahead, moment_text, parse_age

if TYPE_CHECKING:
    from healthpipe.runs.record import RunRecord
    from healthpipe.storage.layout import Root
    from healthpipe.workflow.status import RootStatus

MaxAgeOption = Annotated[
    str | None,
    option(
        "--max-age",
        metavar="AGE",
        help="Fail with 3 unless a run succeeded within this age, as 90m, 26h or 2d.",
    ),
]


@expand_options
def status(
    context: typer.Context,
    *,
    root: RootOptions,
    max_age: MaxAgeOption = None,
    max_snapshot_age: SnapshotAgeOption = None,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Tell what is live, how the last run ended, and with --max-age whether it is too old.

    For example: healthpipe status --max-age 26h
    """
    limits = AgeLimits(max_age, max_snapshot_age)
    show_status(root.open(aws).existing(), limits, messages.apply())


@dataclass(frozen=True)
class AgeLimits:
    """How old the last good run and the live snapshots may be, as the user wrote it."""

    run: str | None = None
    snapshot: str | None = None


def show_status(root: "Root", limits: AgeLimits, settings: OutputSettings) -> None:
    """Print the status of a root.

    Raises `PublishedDamaged` if a live file is not what was published, and `Stale` if the last good
    run or a live snapshot is too old.
    """
    from healthpipe.publishing.gates import RawGates
    from healthpipe.workflow.status import root_status

    settings.start_logging()
    limit = None if limits.run is None else parse_age("--max-age", limits.run)
    gates = RawGates(max_snapshot_age=limits.snapshot).checked()
    status = root_status(root)
    if not (settings.json or settings.quiet):
        print_table(("what", "how it stands"), list(_rows(status)))
    status.require_intact()
    if limit is not None:
        status.require_fresh(limit)
    if gates.max_snapshot_age is not None:
        status.require_recent(gates)
    if status.ahead_text:
        log.warning(status.ahead_text)
    if settings.json:
        print(json.dumps(status.to_json()))


def _rows(status: "RootStatus") -> Iterator[tuple[str, str]]:
    from healthpipe.runs.record import RunStatus
    from healthpipe.workflow.steps.notify import failed_step

    live, last = status.live, status.last
    if live:
        at = moment_text(live.published_at)
        run = f"{live.run_id} as of {live.as_of}"
        yield "live", f"{run}, published {at}, generation {live.generation}"
    else:
        yield "live", "nothing is published yet"
    if status.newest_snapshots:
        yield "snapshot", _snapshot_text(status)
    for damage in status.damaged:
        yield "damaged", str(damage)
    if last:
        at = f" at {failed_step(last, last.error)}" if last.status == RunStatus.FAILED else ""
        why = f": {last.error['message']}" if last.error else ""
        ended = "was killed, the next run clears up" if status.last_was_killed else last.status
        yield "last run", f"{last.run_id} {ended}{at}, {_time_text(last, status)}{why}"
    if status.last_good and last and status.last_good.run_id != last.run_id:
        yield "last good run", f"{status.last_good.run_id}, {_time_text(status.last_good, status)}"
    if status.holder:
        since = moment_text(status.holder["since"]) if "since" in status.holder else "some time"
        yield "at work", f"{status.holder.get('holder')}, since {since}"
    if status.lagging_tables:
        yield "tables in Glue", f"{', '.join(status.lagging_tables)} lag; the next run repairs that"
    if status.open_failure:
        failure = status.open_failure
        first = moment_text(failure["first"])
        yield "open failure", f"{failure['code']} at {failure['step']}, first {first}"


def _snapshot_text(status: "RootStatus") -> str:
    """Say how old the newest snapshot is, and which feed has had none for longer."""
    days = {feed: day for feed, day in status.newest_snapshots.items() if day}
    undated = [feed for feed in status.newest_snapshots if feed not in days]
    parts = []
    if days:
        newest, oldest = max(days, key=days.__getitem__), min(days, key=days.__getitem__)
        parts.append(_day_text(days[newest], status))
        if days[oldest] < days[newest]:
            parts.append(f"that of {oldest} {_day_text(days[oldest], status)}")
    if undated:
        parts.append(f"{len(undated)} feeds without a date" if days else "without a date")
    return "; ".join(parts)


def _day_text(day: datetime.date, status: "RootStatus") -> str:
    age = (status.now.date() - day).days
    return f"of {day}, {age:,} {'day' if age == 1 else 'days'} old"


def _time_text(record: "RunRecord", status: "RootStatus") -> str:
    """Say when a run ended and how long ago that is; of one at work, when it began."""
    if record.finished_at is None:
        return f"since {moment_text(record.started_at)}"
    ended = f"ended {moment_text(record.finished_at)}"
    if is_ahead(record.finished_at, status.now):
        return f"{ended}, in the future"
    return f"{ended}, {elapsed_text(record.finished_at, status.now.isoformat())} ago"
