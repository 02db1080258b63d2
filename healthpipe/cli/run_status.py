"""How a root stands, for a person, a monitor or a script."""

import json
from collections.abc import Iterator

from healthpipe.cli.run_options import parse_age
from healthpipe.cli.shared import Manner
from healthpipe.cli.views import print_table
from healthpipe.storage.layout import open_root
from healthpipe.workflow.failures import failed_step
from healthpipe.workflow.health import Health, health_of
from healthpipe.workflow.words import RunStatus


def show_status(root: str, max_age: str | None, manner: Manner) -> None:
    """Print how it stands. Raises `Stale` where the last good run is older than `max_age`."""
    manner.start_logging()
    limit = parse_age(max_age)
    health = health_of(open_root(root))
    if limit is not None:
        health.require_fresh(limit)
    if manner.json:
        print(json.dumps(health.to_json()))
    elif not manner.quiet:
        print_table(("what", "how it stands"), list(_rows(health)))


def _rows(health: Health) -> Iterator[tuple[str, str]]:
    live, last = health.live, health.last
    if live:
        told = f"{live['run_id']} as of {live['as_of']}, published {live['published_at']}"
        yield "live", f"{told}, generation {live['generation']}"
    else:
        yield "live", "nothing is published yet"
    if last:
        ended = last.finished_at or f"since {last.started_at}"
        at = f" at {failed_step(last)}" if last.status == RunStatus.FAILED else ""
        why = f": {last.error['message']}" if last.error else ""
        yield "last run", f"{last.run_id} {last.status}{at}, {ended}{why}"
    if health.last_good and last and health.last_good.run_id != last.run_id:
        yield "last good run", f"{health.last_good.run_id}, {health.last_good.finished_at}"
    if health.holder:
        yield "at work", f"{health.holder.get('holder')}, since {health.holder.get('since')}"
    if health.open_failure:
        failure = health.open_failure
        yield "open failure", f"{failure['code']} at {failure['step']}, first {failure['first']}"
