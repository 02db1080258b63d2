"""The status of a root: what is live, how old the last good run is, which failure is open."""

import datetime
import logging
from dataclasses import asdict, dataclass, replace

from healthpipe.alerts.notifier import open_failure
from healthpipe.choices import EngineName
from healthpipe.errors import HealthpipeError, Stale
from healthpipe.publishing.audit import describe_results
from healthpipe.publishing.drops import judge_age
from healthpipe.publishing.gates import Gates, Level
from healthpipe.publishing.meaning import Comparison, latest_usable
from healthpipe.publishing.pointer import PublishedRun, read_live
from healthpipe.publishing.publish import Damage, damage_json, find_damage, published_damaged
from healthpipe.runs.cleanup import athena_settings
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import GOOD, ORCHESTRATE, Document, RunRecord, RunStatus
from healthpipe.runs.request import RequestChanges, RunRequest
from healthpipe.runs.run import Run, records_of
from healthpipe.stages.figures import RunFigures
from healthpipe.storage.layout import Root
from healthpipe.text import is_ahead, span_text
from healthpipe.workflow.steps.notify import failed_step

log = logging.getLogger("healthpipe")

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RootStatus:
    """What is live and which of its files are damaged, the last run of the workflow and the last
    good one, who holds the lock, the failure that no run has succeeded after, and the tables in
    Glue that do not show what is live.

    `ahead` is a good run that ends in the future by this machine's clock, if there is one: it tells
    nothing of today, so that the last good run is another. `figures` are those of what is live;
    None where an earlier version published it.
    """

    root: Root
    live: PublishedRun | None
    damaged: list[Damage]
    last: RunRecord | None
    last_good: RunRecord | None
    ahead: RunRecord | None
    holder: Document | None
    open_failure: Document | None
    lagging_tables: list[str]
    figures: RunFigures | None
    now: datetime.datetime

    @property
    def last_was_killed(self) -> bool:
        """Whether the last run was killed, and no other run has closed its record yet."""
        at_work = (self.holder or {}).get("holder")
        last = self.last
        return last is not None and last.status == RunStatus.RUNNING and last.run_id != at_work

    @property
    def age(self) -> datetime.timedelta | None:
        """How long ago the last good run ended."""
        ended = self.last_good.finished_at if self.last_good else None
        return self.now - datetime.datetime.fromisoformat(ended) if ended else None

    @property
    def ahead_text(self) -> str:
        """Say which run ends in the future; empty if none does."""
        if self.ahead is None or self.ahead.finished_at is None:
            return ""
        ended = datetime.datetime.fromisoformat(self.ahead.finished_at)
        return (
            f"run {self.ahead.run_id} ended {span_text(ended - self.now)} in the future:"
            " its clock was wrong, or this one is"
        )

    @property
    def newest_snapshots(self) -> dict[str, datetime.date | None]:
        """The newest snapshot date of each live feed, without those in the future."""
        usable = latest_usable(self.now.date())
        feeds = self.figures.feeds if self.figures else {}
        return {feed: each.newest_snapshot(usable) for feed, each in sorted(feeds.items())}

    def require_intact(self) -> None:
        """Raise `PublishedDamaged`, with the whole status, if a live file is damaged."""
        if self.damaged:
            error = published_damaged(self.root, self.damaged)
            error.details = {**self.to_json(), "status": "failed"}
            raise error

    def require_fresh(self, max_age: datetime.timedelta) -> None:
        """Raise `Stale` unless a run succeeded within that time."""
        age = self.age
        if self.ahead and (age is None or age > max_age):
            raise Stale(self.ahead_text, f"set the clock, then run `{self._command_anew()}`")
        if age is None:
            raise Stale("no run has succeeded yet", f"run `{self._command_anew()}`")
        if age > max_age:
            raise Stale(
                f"the last good run ended {span_text(age)} ago, more than {span_text(max_age)}",
                f"see `{self.root.command('runs', 'list')}` for what happened",
            )

    def require_recent(self, gates: Gates) -> None:
        """Raise `Stale` where the newest snapshot of a live feed is too old for the gates."""
        if self.figures is None:
            raise Stale(
                "there is no telling how old the live snapshots are",
                f"run `{self._command_anew()}`",
            )
        judged = judge_age(Comparison(self.now.date(), self.figures, None), gates)
        if old := [result for result in judged if result.level is Level.FAIL]:
            raise Stale(describe_results(old), "see whether the sender still delivers")

    def _command_anew(self) -> str:
        """The command that runs the workflow as it ran last."""
        if self.last is None or self.last.request is None:
            return self.root.command("orchestrate")
        request = RunRequest.of_retry(self.last.request, self.root, RequestChanges())
        return request.again(self.last.folder or "")

    def to_json(self) -> Document:
        """The document of `status --json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "status",
            "status": "succeeded",
            "live": self.live.document if self.live else None,
            "damaged_files": damage_json(self.damaged),
            "last_run": _summary(self.last),
            "last_run_was_killed": self.last_was_killed,
            "last_good_run": _summary(self.last_good),
            "run_in_future": _summary(self.ahead),
            "newest_snapshots": {
                feed: day and day.isoformat() for feed, day in self.newest_snapshots.items()
            },
            "age_s": round(self.age.total_seconds()) if self.age is not None else None,
            "at_work": self.holder,
            "open_failure": self.open_failure,
            "lagging_tables": self.lagging_tables,
        }


def root_status(root: Root) -> RootStatus:
    """Read the status of a root as it is now."""
    now = datetime.datetime.now(datetime.UTC)
    last = last_good = ahead = None
    for record in records_of(root):
        if record.command != ORCHESTRATE:
            continue
        last = last or record
        if record.status in GOOD:
            if is_ahead(record.finished_at, now):
                ahead = ahead or record
                continue
            last_good = record
            break
    live = read_live(root).published
    failure = open_failure(root)
    return RootStatus(
        root=root,
        live=live,
        damaged=find_damage(root, live.files) if live else [],
        last=last,
        last_good=last_good,
        ahead=ahead,
        holder=RootLock.of(root).holder(),
        open_failure=asdict(failure) if failure else None,
        lagging_tables=_lagging_tables(root, live, last_good),
        figures=Run(root, live.run_id).find_figures() if live else None,
        now=now,
    )


def _lagging_tables(
    root: Root, live: PublishedRun | None, last_good: RunRecord | None
) -> list[str]:
    """The tables in Glue, by the last good run's settings, that lag behind the pointer."""
    if live is None or last_good is None or last_good.engine != EngineName.ATHENA:
        return []
    from healthpipe.engines.athena.published_tables import LiveRun, lagging_tables

    settings = replace(athena_settings(last_good), access=root.access)
    try:
        return lagging_tables(settings, root, LiveRun.from_json(live.document))
    except HealthpipeError as error:
        log.warning("could not check whether the tables in Glue lag: %s", error)
        return []


def _summary(record: RunRecord | None) -> Document | None:
    if record is None:
        return None
    kept = ("run_id", "status", "started_at", "finished_at", "error")
    summary = {name: getattr(record, name) for name in kept}
    failed = failed_step(record, record.error) if record.status == RunStatus.FAILED else None
    return {**summary, "as_of": record.as_of.isoformat(), "failed_step": failed}
