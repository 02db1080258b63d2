"""How a root stands, for a person, a monitor or a script."""

import json
from collections.abc import Iterator

from healthpipe.cli.render import print_table
from healthpipe.cli.run_options import parse_age
from healthpipe.cli.shared import OutputSettings
from healthpipe.runs.record import RunRecord, RunStatus
from healthpipe.storage.layout import Root
from healthpipe.text import elapsed_text, moment_text
from healthpipe.workflow.notifications import failed_step
from healthpipe.workflow.status import RootStatus, root_status


def show_status(root: Root, max_age: str | None, manner: OutputSettings) -> None:
    """Print how it stands. Raises `Stale` where the last good run is older than `max_age`."""
    manner.start_logging()
    limit = parse_age(max_age)
    health = root_status(root)
    if not (manner.json or manner.quiet):
        print_table(("what", "how it stands"), list(_rows(health)))
    if limit is not None:
        health.require_fresh(limit)
    if manner.json:
        print(json.dumps(health.to_json()))


def _rows(health: RootStatus) -> Iterator[tuple[str, str]]:
    live, last = health.live, health.last
    if live:
        at = moment_text(live.published_at)
        run = f"{live.run_id} as of {live.as_of}"
        yield "live", f"{run}, published {at}, generation {live.generation}"
    else:
        yield "live", "nothing is published yet"
    if last:
        at = f" at {failed_step(last, last.error)}" if last.status == RunStatus.FAILED else ""
        why = f": {last.error['message']}" if last.error else ""
        status = "was killed, the next run clears up" if health.last_was_killed else last.status
        yield "last run", f"{last.run_id} {status}{at}, {_ended(last, health)}{why}"
    if health.last_good and last and health.last_good.run_id != last.run_id:
        yield "last good run", f"{health.last_good.run_id}, {_ended(health.last_good, health)}"
    if health.holder:
        since = moment_text(health.holder["since"]) if "since" in health.holder else "some time"
        yield "at work", f"{health.holder.get('holder')}, since {since}"
    if health.lagging_tables:
        yield "tables in Glue", f"{', '.join(health.lagging_tables)} lag; the next run mends that"
    if health.open_failure:
        failure = health.open_failure
        first = moment_text(failure["first"])
        yield "open failure", f"{failure['code']} at {failure['step']}, first {first}"


def _ended(record: RunRecord, health: RootStatus) -> str:
    """When a run ended, and how long ago that is; of one at work, since when it is."""
    if record.finished_at is None:
        return f"since {moment_text(record.started_at)}"
    ago = elapsed_text(record.finished_at, health.now.isoformat())
    return f"ended {moment_text(record.finished_at)}, {ago} ago"
