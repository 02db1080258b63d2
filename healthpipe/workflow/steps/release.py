"""The steps that release a run: Audit, Publish, Finish, and Cleanup after a failure.

Tables in Glue follow the pointer, which alone tells what is published.
"""

import logging
import uuid

import msgspec

from healthpipe.aws.session import AthenaSettings
from healthpipe.cancellation import raise_if_cancelled
from healthpipe.choices import EngineName, Format
from healthpipe.errors import GateFailed, HealthpipeError
from healthpipe.ingest.manifest import Manifest
from healthpipe.progress import SAID_BEFORE
from healthpipe.publishing.audit import (
    RunFacts,
    count_rejected_files,
    coverage_of,
    live_coverage,
)
from healthpipe.publishing.audit import audit as audit_run
from healthpipe.publishing.gates import Level
from healthpipe.publishing.meaning import Comparison
from healthpipe.publishing.pointer import LivePointer, PublishedRun, newest_generation, read_live
from healthpipe.publishing.prune import prune_published
from healthpipe.publishing.publish import OutputFile, Publication
from healthpipe.publishing.publish import publish as publish_outputs
from healthpipe.runs.attempts import Attempt, abandon_unfinished
from healthpipe.runs.cleanup import try_stop_run_queries
from healthpipe.runs.locks import RootLock
from healthpipe.runs.record import Document, RunRecord, RunStatus
from healthpipe.runs.run import Run
from healthpipe.stages.curate import BALANCE, Balance
from healthpipe.storage.layout import Root
from healthpipe.workflow.changes import gate_changes, raised_gates, record_before
from healthpipe.workflow.input_reader import MANIFEST, where_records_lie
from healthpipe.workflow.steps.context import StepContext
from healthpipe.workflow.steps.notify import reason_of

log = logging.getLogger("healthpipe")
# The steps whose files are published.
STAGES = ("Extract", "FilterExpiring", "StateCounts")


def audit(context: StepContext) -> Document:
    """Audit: judge the run by its gates, and note the pointer that it was compared with.

    Raises `GateFailed`.
    """
    live = read_live(context.root)
    earlier = Attempt.last(context.run, "Publish")
    if earlier and live.document and earlier.notes.get("nonce") == live.document["nonce"]:
        # Published already, and killed before that was noted.
        return dict(context.attempt.notes["seen"])
    if not live.document and newest_generation(context.root) and not context.request.accept_drop:
        raise GateFailed(
            f"{context.root.pointer} is gone, though runs were published: "
            "there is nothing to compare",
            "see that it is mounted, restore it from state/history, or run once with --accept-drop",
        )
    context.progress.step("judging the run")
    curated = context.result("Curate")
    (counts,) = (
        file["uri"]
        for file in context.result("StateCounts")["files"]
        if file["format"] == Format.JSON.value
    )
    manifest = Manifest.from_json(context.run.read_json(MANIFEST))
    counted = context.run.read_json(BALANCE)
    balance = Balance(**counted["all"])
    facts = RunFacts(
        balance.with_unseen(manifest.unseen_records),
        count_rejected_files(curated["issues"]),
        curated["input"]["files"],
        coverage_of(context.root.storage, counts),
    )
    found = audit_run(
        context.request.chosen_gates(),
        context.options.rules,
        facts,
        live_coverage(context.root, live.published, accept_drop=context.request.accept_drop),
        _comparison(context, live.run_id),
        context.request.accepted_gates(),
    )
    if found.failed:
        from healthpipe.workflow.examples import with_examples  # only a run that fails needs it

        found = with_examples(context.run, context.scratch, found)
    raise_if_cancelled()  # a cancelled attempt must not change the record
    record = context.run.note(audit=found.to_json(), compared_with=live.run_id)
    _log_warnings(record, record_before(context.run, record))
    if balance.accepted == 0:
        names = [file["source"] for file in counted["files"]]
        for text in where_records_lie(manifest, names, context.root.access):
            log.warning(text)
    found.require_passed(context.root, context.run.run_id)
    seen = {"live": live.document, "etag": live.etag}
    context.attempt.note(seen=seen)
    return seen


def _log_warnings(record: RunRecord, before: RunRecord | None) -> None:
    """Log what gates warn of, marked if the live run has said it; always what was accepted."""
    raised = raised_gates(record)
    told = gate_changes(raised, raised_gates(before)).told
    for key, finding in raised.items():
        if finding.level == Level.ACCEPTED:
            log.warning(finding.message)
        elif finding.level == Level.WARN:
            log.warning(finding.message, extra={SAID_BEFORE: key not in told})


def _comparison(context: StepContext, live: str | None) -> Comparison:
    """The figures of the run, and those of the live run where they are known.

    What was compared with another live run, at the time of Curate, is left out.
    """
    new = context.run.figures
    if new.live != live:
        new = msgspec.structs.replace(new, arrived=None, changes=None)
    return Comparison(
        context.options.as_of, new, Run(context.root, live).find_figures() if live else None
    )


def finish(context: StepContext) -> Document:
    """Finish: close the run's record, and remove published copies beyond those that are kept."""
    end = context.run.record.good_end
    removed: list[str] = []
    if end is RunStatus.SUCCEEDED:
        try:
            removed = [each.uri for each in prune_published(context.root, context.request.keep)]
        except OSError as error:  # errors of services are, too; the next run tries again
            log.warning("old published runs were not removed: %s", error)
    abandon_unfinished(context.run, but=context.attempt.step)
    try_stop_run_queries(context.run)
    context.run.finish(end)
    RootLock.of(context.root).release(context.run.run_id)
    return {"removed": removed}


def cleanup(context: StepContext) -> Document:
    """Cleanup: abandon attempts, stop queries, close the record as failed, release the lock."""
    abandoned, stopped = [], []
    if context.run.exists:
        abandoned = abandon_unfinished(context.run)
        stopped = try_stop_run_queries(context.run)
        context.run.finish(RunStatus.FAILED, reason_of(context.error))
    RootLock.of(context.root).release(context.run.run_id)
    return {"abandoned": abandoned, "stopped": stopped}


def sync_tables(settings: AthenaSettings, root: Root, live: PublishedRun | None) -> None:
    """Make the tables in Glue show what the pointer names, if they do not already.

    A failure is only logged: the next run tries again.
    """
    from healthpipe.engines.athena.published_tables import LiveRun, lagging_tables, update_tables

    try:
        shown = LiveRun.from_json(live.document) if live else None
        if shown and lagging_tables(settings, root, shown):
            update_tables(settings, root, shown)
    except HealthpipeError as error:
        log.warning("the tables in Glue lag behind what is published: %s", error)


def publish(context: StepContext) -> Document:
    """Publish: make the outputs live in place of what Audit saw. Raises `PublishConflict`."""
    context.progress.step("publishing")
    seen = context.result("Audit")
    files = [file for step in STAGES for file in context.result(step)["files"]]
    outputs = msgspec.convert(files, list[OutputFile])
    options = context.options
    publication = Publication(
        context.run.run_id, options.as_of.isoformat(), options.to_json(), outputs
    )
    nonce = context.attempt.notes.get("nonce") or uuid.uuid4().hex
    context.attempt.note(nonce=nonce)
    copied = 0

    def pause() -> None:
        nonlocal copied
        copied += 1
        context.attempt.notes["copied"] = copied
        raise_if_cancelled()

    live = LivePointer(seen["live"], seen["etag"])
    published = publish_outputs(context.root, publication, live, nonce, pause=pause)
    context.run.note(production=published.document)
    if context.request.engine is EngineName.ATHENA:
        sync_tables(context.request.athena(), context.root, published)
    return published.document
