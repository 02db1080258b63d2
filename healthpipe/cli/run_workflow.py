"""Running the workflow for a command, and showing what is live."""

import json
from dataclasses import dataclass
from pathlib import PurePath

from healthpipe.cli.console import log
from healthpipe.cli.shared import Manner, Place
from healthpipe.cli.views import print_data, rejected_count, show_issues
from healthpipe.engines import require_reach
from healthpipe.errors import UsageError
from healthpipe.stages.options import StageOptions
from healthpipe.stages.pointer import published_files, read_live
from healthpipe.storage.layout import Root
from healthpipe.storage.transfer import copy_file
from healthpipe.words import Format, PublishedStage
from healthpipe.workflow.heartbeat import heartbeat, require_url
from healthpipe.workflow.orchestrate import Surroundings, WorkflowResult, orchestrate
from healthpipe.workflow.record import Execution
from healthpipe.workflow.request import RunRequest
from healthpipe.workflow.words import RunStatus


@dataclass(frozen=True)
class Conduct:
    """How a command conducts a run: how long it waits for the lock, and who hears its pulse."""

    lock_wait_s: float = 0
    heartbeat_url: str | None = None


def run_workflow(
    request: RunRequest, execution: Execution, conduct: Conduct, manner: Manner
) -> None:
    """Run it and render what it published."""
    require_reach(request.engine, request.root)
    require_url(conduct.heartbeat_url)
    with manner.session() as progress, heartbeat(conduct.heartbeat_url):
        result = orchestrate(request, execution, Surroundings(progress, conduct.lock_wait_s))
    show_result(result, manner)


def show_result(result: WorkflowResult, manner: Manner) -> None:
    """Render what a run published, or that there was nothing to do."""
    production = result.production
    if result.record.status == RunStatus.UNCHANGED:
        log.info(
            "nothing to do: inputs, options, SQL and as-of date are those of the live run "
            f"{production['run_id']} (--force runs all the same)"
        )
    else:
        _show_summary(result)
    if manner.json:
        print(json.dumps(result.to_json(), default=str))
    elif not manner.quiet:
        for file in production["files"]:
            print(f"{result.run.root.uri}/{file['path']}")


def show_current(
    stage: PublishedStage | None, root: Root, output: str | None, manner: Manner
) -> None:
    """The live files' paths, one of them, its data, or the pointer as JSON."""
    place = Place(output)
    if stage is None and output is not None:
        raise UsageError("-o needs a stage", f"name one of {', '.join(PublishedStage)}")
    if manner.json and output is not None:
        raise UsageError("-o and --json exclude each other", "drop one of them")
    with manner.session():
        files = published_files(root, stage)
        if manner.json:
            print(json.dumps(read_live(root).document))
        elif place.is_standard_output:
            fmt = Format(PurePath(files[0]).suffix[1:])
            print_data(root.storage.local_copy(files[0]), fmt)
        elif place.path:
            place.require_writable([], root.access)
            copy_file(files[0], place.path, root.access)
        else:
            print("\n".join(files[:1] if stage else files))


def _show_summary(result: WorkflowResult) -> None:
    document = result.to_json()
    records = document["records"]
    rows: dict[str, int] = {}
    for file in result.production["files"]:
        rows.setdefault(file["stage"], file["rows"])
    counts = ", ".join(f"{stage} {count:,} rows" for stage, count in rows.items())
    log.info(
        f"published run {document['run_id']} as of {document['as_of']}: "
        f"{records['lines']:,} lines in, {rejected_count(records)}, "
        f"{records['superseded']:,} superseded; {counts}; in {result.elapsed_s:.1f} s",
        extra={"fields": document},
    )
    rules = StageOptions.from_json(result.record.options).rules
    show_issues(document["issues"], records, rules, result.run.uri)
