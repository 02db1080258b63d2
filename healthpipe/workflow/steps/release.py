"""Audit: the whole run is judged before anything of it is published.

The last steps of a run, of one that succeeded and of one that failed.

Glue's tables of what is published, kept in step with the pointer, which alone is the truth.

Publish: copies in production, and the pointer that makes them the live ones.
"""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from healthpipe.aws.session import AthenaSettings
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.choices import EngineName, Format
from healthpipe.errors import GateFailed, HealthpipeError
from healthpipe.publishing.audit import Level, count_rejected_files, coverage_of, live_coverage
from healthpipe.publishing.audit import audit as audit_run
from healthpipe.publishing.pointer import LivePointer, newest_generation, read_live
from healthpipe.publishing.prune import prune_published
from healthpipe.publishing.publish import Publication
from healthpipe.publishing.publish import publish as publish_outputs
from healthpipe.runs.attempts import Attempt, abandon_unfinished
from healthpipe.runs.cleanup import try_stop_run_queries
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import RunStatus
from healthpipe.stages.curate import BALANCE, Balance
from healthpipe.storage.layout import Root
from healthpipe.workflow.notifications import reason_of
from healthpipe.workflow.steps.context import StepContext

log = logging.getLogger("healthpipe")


def audit(work: StepContext) -> dict[str, Any]:
    """Judge the run by its gates, against the live run as it is now; note which that was.

    Raises `GateFailed`.
    """
    live = read_live(work.root)
    earlier = Attempt.last(work.run, "Publish")
    if earlier and live.document and earlier.notes.get("nonce") == live.document["nonce"]:
        # Published already, and killed before that was noted.
        return dict(work.attempt.notes["seen"])
    if not live.document and newest_generation(work.root) and not work.request.accept_drop:
        raise GateFailed(
            f"{work.root.pointer} is gone, though runs were published: there is nothing to compare",
            "see that it is mounted, restore it from state/history, or run once with --accept-drop",
        )
    work.progress.step("judging the run")
    curated = work.result("Curate")
    (counts,) = (
        file["uri"]
        for file in work.result("StateCounts")["files"]
        if file["format"] == Format.JSON.value
    )
    found = audit_run(
        work.request.chosen_gates(),
        Balance(**work.run.read_json(BALANCE)["all"]),
        count_rejected_files(curated["issues"]),
        curated["input"]["files"],
        coverage_of(work.root.storage, counts),
        live_coverage(work.root, live.document, accept_drop=work.request.accept_drop),
        accept_drop=work.request.accept_drop,
    )
    raise_if_cancelled()  # what was given up has no say in the record
    work.run.note(audit=found.to_json())
    for finding in found.findings:
        if finding.level in (Level.WARN, Level.ACCEPTED):
            log.warning(finding.message)
    found.require_passed()
    seen = {"live": live.document, "etag": live.etag}
    work.attempt.note(seen=seen)
    return seen


def finish(work: StepContext) -> dict[str, Any]:
    """Close the run's record, and remove published copies beyond those that are kept."""
    end = work.run.record.good_end
    removed: list[str] = []
    if end is RunStatus.SUCCEEDED:
        try:
            removed = [each.uri for each in prune_published(work.root, work.request.keep)]
        except OSError as error:  # those of the outside are; it is tried again by the next run
            log.warning("old published runs were not removed: %s", error)
    abandon_unfinished(work.run, but=work.attempt.step)
    try_stop_run_queries(work.run)
    work.run.finish(end)
    RootLock.of(work.root).give_back(work.run.run_id)
    return {"removed": removed}


def cleanup(work: StepContext) -> dict[str, Any]:
    """Give up what still runs here and elsewhere, close the run's record as failed, and give back
    the lock.
    """
    abandoned, stopped = [], []
    if work.run.exists:
        abandoned = abandon_unfinished(work.run)
        stopped = try_stop_run_queries(work.run)
        work.run.finish(RunStatus.FAILED, reason_of(work.error))
    RootLock.of(work.root).give_back(work.run.run_id)
    return {"abandoned": abandoned, "stopped": stopped}


def sync_tables(settings: AthenaSettings, root: Root, document: Mapping[str, Any]) -> None:
    """Have the tables show what the pointer's document names, if they do not already.

    A failure is only said: the next run tries again.
    """
    from healthpipe.engines.athena.published_tables import (
        PublishedRun,
        lagging_tables,
        update_tables,
    )

    try:
        live = PublishedRun.from_json(document) if document else None
        if live and lagging_tables(settings, root, live):
            update_tables(settings, root, live)
    except HealthpipeError as error:
        log.warning("the tables in Glue lag behind what is published: %s", error)


STAGES = ("Extract", "FilterExpiring", "StateCounts")


def publish(work: StepContext) -> dict[str, Any]:
    """Publish the outputs in place of what Audit saw live. Raises `PublishConflict`."""
    work.progress.step("publishing")
    seen = work.result("Audit")
    outputs = [file for step in STAGES for file in work.result(step)["files"]]
    options = work.options
    publication = Publication(
        work.run.run_id, options.as_of.isoformat(), options.to_json(), outputs
    )
    nonce = work.attempt.notes.get("nonce") or uuid.uuid4().hex
    work.attempt.note(nonce=nonce)
    copied = 0

    def pause() -> None:
        nonlocal copied
        copied += 1
        work.attempt.notes["copied"] = copied
        raise_if_cancelled()

    live = LivePointer(seen["live"], seen["etag"])
    document = publish_outputs(work.root, publication, live, nonce, pause=pause)
    work.run.note(production=document)
    if work.request.engine is EngineName.ATHENA:
        sync_tables(work.request.athena(), work.root, document)
    return document
