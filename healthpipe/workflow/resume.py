"""Retry a run that failed: resume it at the step that failed, if its result would be the same."""

from healthpipe.errors import RetryRefused, RunNotFound
from healthpipe.ingest.manifest import STANDARD_INPUT, Manifest
from healthpipe.publishing.pointer import read_live
from healthpipe.runs.attempts import Attempt
from healthpipe.runs.record import GOOD, ORCHESTRATE, RunRecord
from healthpipe.runs.request import RequestChanges, RunRequest, code_fingerprint
from healthpipe.runs.run import Run, records_of
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import MANIFEST
from healthpipe.workflow.orchestrate import RunEnvironment, WorkflowResult, orchestrate

RUN_ANEW = "run `healthpipe orchestrate` instead"


def retry(
    root: Root, run_id: str | None, changes: RequestChanges, environment: RunEnvironment
) -> WorkflowResult | None:
    """Resume a run, by default the last one of the workflow; None if it has succeeded.

    Raises `RunNotFound`, and `RetryRefused` where the result would not be that run's any more.
    """
    run = Run(root, last_run(root).run_id) if run_id is None else Run.named(root, run_id)
    record = run.record
    if record.command != ORCHESTRATE:
        raise RetryRefused(
            f"run {run.run_id} is one of {record.command}, which has no steps to resume",
            "run that command again",
        )
    if record.status in GOOD:
        return None
    _require_same(run, record)
    request = RunRequest.of_retry(record.request or {}, root, changes)
    return orchestrate(request, record.execution, environment)


def last_run(root: Root) -> RunRecord:
    """Read the record of the newest run of the workflow. Raises `RunNotFound`."""
    for record in records_of(root):
        if record.command == ORCHESTRATE:
            return record
    raise RunNotFound(f"{root.uri} has no run of the workflow", "run `healthpipe orchestrate`")


def _require_same(run: Run, record: RunRecord) -> None:
    """Raise `RetryRefused` if a retry would publish something else than its run would have."""
    live = read_live(run.root)
    if live.generation > (record.generation or 0) and live.run_id != run.run_id:
        raise RetryRefused(f"run {live.run_id} became live since run {run.run_id} began", RUN_ANEW)
    for name, now in code_fingerprint().items():
        if (record.code or {}).get(name) != now:
            raise RetryRefused(f"the {name} changed since run {run.run_id}", RUN_ANEW)
    ingest = Attempt.last(run, "Ingest")
    if not (ingest and ingest.is_done):
        if STANDARD_INPUT in (record.request or {}).get("sources", ()):
            raise RetryRefused("standard input cannot be read again", RUN_ANEW)
    else:
        manifest = Manifest.from_json(run.read_json(MANIFEST))
        unreadable = {file.uri for file in manifest.files if file.is_unreadable}  # are read anew
        changed = [uri for uri in manifest.changed_files(run.root.access) if uri not in unreadable]
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise RetryRefused(
                f"{changed[0]}{more} changed since run {run.run_id} listed it", RUN_ANEW
            )
