"""How a root stands: what is live, how old the last good run is, what is open."""

import datetime
import logging
from dataclasses import asdict, dataclass, replace
from typing import Any

from healthpipe.alerts.notifier import open_failure
from healthpipe.choices import EngineName
from healthpipe.errors import HealthpipeError, Stale
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.cleanup import athena_settings
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import GOOD, ORCHESTRATE, RunRecord, RunStatus
from healthpipe.runs.run import records_of
from healthpipe.storage.layout import Root
from healthpipe.text import span_text
from healthpipe.workflow.notifications import failed_step

log = logging.getLogger("healthpipe")

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RootStatus:
    """What is live, the last run of the workflow and the last good one, who is at work, and the
    failure that nobody recovered from yet; and the tables in Glue that do not show what is live.
    """

    live: dict[str, Any]
    last: RunRecord | None
    last_good: RunRecord | None
    holder: dict[str, Any] | None
    open_failure: dict[str, Any] | None
    lagging_tables: list[str]
    now: datetime.datetime

    @property
    def last_was_killed(self) -> bool:
        """Whether the last run ended without a word, and no run has cleared up after it yet."""
        at_work = (self.holder or {}).get("holder")
        last = self.last
        return last is not None and last.status == RunStatus.RUNNING and last.run_id != at_work

    @property
    def age(self) -> datetime.timedelta | None:
        """How long ago the last good run ended."""
        ended = self.last_good.finished_at if self.last_good else None
        return self.now - datetime.datetime.fromisoformat(ended) if ended else None

    def require_fresh(self, max_age: datetime.timedelta) -> None:
        """Raise `Stale` unless a run succeeded within that time."""
        age = self.age
        if age is None:
            raise Stale("no run has succeeded yet", "run `healthpipe orchestrate`")
        if age > max_age:
            raise Stale(
                f"the last good run ended {span_text(age)} ago, more than {span_text(max_age)}",
                "see `healthpipe runs list` for what happened",
            )

    def to_json(self) -> dict[str, Any]:
        """The document of `status --json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "status",
            "status": "succeeded",
            "live": self.live or None,
            "last_run": _summary(self.last),
            "last_run_was_killed": self.last_was_killed,
            "last_good_run": _summary(self.last_good),
            "age_s": round(self.age.total_seconds()) if self.age is not None else None,
            "at_work": self.holder,
            "open_failure": self.open_failure,
            "lagging_tables": self.lagging_tables,
        }


def root_status(root: Root) -> RootStatus:
    """How a root stands now."""
    last = last_good = None
    for record in records_of(root):
        if record.command != ORCHESTRATE:
            continue
        last = last or record
        if record.status in GOOD:
            last_good = record
            break
    live = read_live(root).document
    now = datetime.datetime.now(datetime.UTC)
    holder, failure = RootLock.of(root).holder(), open_failure(root)
    failed = asdict(failure) if failure else None
    return RootStatus(live, last, last_good, holder, failed, _lagging(root, live, last_good), now)


def _lagging(root: Root, live: dict[str, Any], last_good: RunRecord | None) -> list[str]:
    """The tables of the last good run's settings that lag behind the pointer."""
    if not live or last_good is None or last_good.engine != EngineName.ATHENA:
        return []
    from healthpipe.engines.athena.published_tables import PublishedRun, lagging_tables

    settings = replace(athena_settings(last_good), access=root.access)
    try:
        return lagging_tables(settings, root, PublishedRun.from_json(live))
    except HealthpipeError as error:
        log.warning("whether the tables in Glue lag cannot be told: %s", error)
        return []


def _summary(record: RunRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    kept = ("run_id", "status", "started_at", "finished_at", "error")
    summary = {name: getattr(record, name) for name in kept}
    failed = failed_step(record, record.error) if record.status == RunStatus.FAILED else None
    return {**summary, "as_of": record.as_of.isoformat(), "failed_step": failed}
