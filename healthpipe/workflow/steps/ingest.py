"""Ingest: clear up after dead runs, see whether there is anything to do, list the files."""

from dataclasses import asdict
from typing import Any

from healthpipe.choices import EngineName
from healthpipe.ingest.lander import TakingInPaused
from healthpipe.ingest.manifest import InputFile
from healthpipe.ingest.sources import find_files
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.cleanup import DIED, sweep
from healthpipe.runs.fingerprint import fingerprint, found_inputs
from healthpipe.runs.record import RunRecord
from healthpipe.runs.run import Run
from healthpipe.workflow.announcing import desk_of, record_delivery
from healthpipe.workflow.notifications import failure_of
from healthpipe.workflow.steps.context import Work
from healthpipe.workflow.tables import let_tables_follow
from healthpipe.workflow.words import CallStatus

# What a run that found nothing to do has in common with the live one.
SAME = ("input", "records", "issues")


def ingest(work: Work) -> dict[str, Any]:
    """Make the input manifest, unless the live run is what this one would come to."""
    _tell_of_dead_runs(work)
    if work.request.engine is EngineName.ATHENA:
        let_tables_follow(work.request.athena(), work.root, read_live(work.root).document)
    work.progress.step("looking for files")
    found = find_files(work.request.sources, work.root)
    inputs = found_inputs(found)
    own = fingerprint(inputs, work.options)
    live = _record_of_live(work)
    if live and not work.request.force and own == live.details.get("fingerprint"):
        facts = {name: live.details[name] for name in SAME}
        work.run.note(unchanged_since=live.run_id, **facts)
        return {"status": CallStatus.UNCHANGED}
    known = [InputFile.from_json(file) for file in work.attempt.notes.get("files", ())]
    try:
        manifest = work.intake.take_in(found, known)
    except TakingInPaused as paused:
        work.attempt.notes["files"] = [asdict(file) for file in paused.files]
        raise
    return {"files": len(manifest.files)}


def _tell_of_dead_runs(work: Work) -> None:
    """Tell of each run that died at work, and clear up after it."""

    def tell(dead: Run) -> None:
        delivery = desk_of(work.root, work.request).failed(failure_of(dead, DIED))
        record_delivery(work.run, "failure", delivery)

    sweep(work.root, tell)


def _record_of_live(work: Work) -> RunRecord | None:
    live = read_live(work.root).run_id
    return Run(work.root, live).find_record() if live else None
