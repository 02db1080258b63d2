"""Retry a run that failed: resume it at the step that failed, if its result would be the same."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path

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
    with _in_folder_of(record, root) as named:
        request = RunRequest.of_retry(record.request or {}, named, changes)
        _require_same(Run(named, run.run_id), record, request.again())
        return orchestrate(request, record.execution, environment)


@contextmanager
def _in_folder_of(record: RunRecord, root: Root) -> Iterator[Root]:
    """Work in the folder in which a run was started, where its paths mean what they did.

    Yields the root as that folder names it.
    """
    folder = Path(record.folder) if record.folder else Path.cwd()
    if not folder.is_dir() or folder.samefile(Path.cwd()):
        yield root
        return
    with chdir(folder):
        yield replace(root, uri=root.absolute_uri)


def last_run(root: Root) -> RunRecord:
    """Read the record of the newest run of the workflow. Raises `RunNotFound`."""
    for record in records_of(root):
        if record.command == ORCHESTRATE:
            return record
    raise RunNotFound(
        f"{root.uri} has no run of the workflow", f"run `{root.command('orchestrate')}`"
    )


def _require_same(run: Run, record: RunRecord, anew: str) -> None:
    """Raise `RetryRefused` if a retry would publish something else than its run would have.

    `anew` is the command that runs all of it again.
    """
    instead = f"run `{anew}` instead"
    live = read_live(run.root)
    if live.generation > (record.generation or 0) and live.run_id != run.run_id:
        raise RetryRefused(f"run {live.run_id} became live since run {run.run_id} began", instead)
    for name, now in code_fingerprint().items():
        if (record.code or {}).get(name) != now:
            raise RetryRefused(f"the {name} changed since run {run.run_id}", instead)
    ingest = Attempt.last(run, "Ingest")
    if not (ingest and ingest.is_done):
        if STANDARD_INPUT in (record.request or {}).get("sources", ()):
            raise RetryRefused(
                "standard input cannot be read again", "run again with the whole of it"
            )
    else:
        manifest = Manifest.from_json(run.read_json(MANIFEST))
        unreadable = {file.uri for file in manifest.files if file.is_unreadable}  # are read anew
        changed = [uri for uri in manifest.changed_files(run.root.access) if uri not in unreadable]
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise RetryRefused(
                f"{changed[0]}{more} changed since run {run.run_id} listed it", instead
            )
