"""The command that tells what is live and how the last run ended."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import AwsOptions, MessageOptions, RootOptions
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
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Tell what is live, how the last run ended, and with --max-age whether it is too old.

    For example: healthpipe status --max-age 26h
    """
    show_status(root.open(aws).existing(), max_age, messages.apply())


def show_status(root: "Root", max_age: str | None, settings: OutputSettings) -> None:
    """Print the status of a root.

    Raises `PublishedDamaged` if a live file is not what was published, and `Stale` if the last good
    run is older than `max_age`.
    """
    from healthpipe.workflow.status import root_status

    settings.start_logging()
    limit = None if max_age is None else parse_age("--max-age", max_age)
    status = root_status(root)
    if not (settings.json or settings.quiet):
        print_table(("what", "how it stands"), list(_rows(status)))
    status.require_intact()
    if limit is not None:
        status.require_fresh(limit)
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


def _time_text(record: "RunRecord", status: "RootStatus") -> str:
    """Say when a run ended and how long ago that is; of one at work, when it began."""
    if record.finished_at is None:
        return f"since {moment_text(record.started_at)}"
    ended = f"ended {moment_text(record.finished_at)}"
    if is_ahead(record.finished_at, status.now):
        return f"{ended}, in the future"
    return f"{ended}, {elapsed_text(record.finished_at, status.now.isoformat())} ago"
