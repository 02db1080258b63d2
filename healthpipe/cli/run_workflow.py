"""Running the workflow for a command, and showing what is live."""

import json
from collections.abc import Sequence
from pathlib import Path

from healthpipe.cli.console import log
from healthpipe.cli.shared import Manner, Place
from healthpipe.cli.views import print_data, rejected_count, show_issues
from healthpipe.engines import require_supported
from healthpipe.errors import UsageError
from healthpipe.stages.options import StageOptions
from healthpipe.stages.pointer import published_files, read_live
from healthpipe.stages.rules import Rules
from healthpipe.storage import open_storage
from healthpipe.storage.layout import open_root
from healthpipe.words import EngineName, Format, PublishedStage
from healthpipe.workflow.orchestrate import WorkflowResult, orchestrate


def run_workflow(
    sources: Sequence[str],
    root: str,
    engine: EngineName,
    options: StageOptions,
    manner: Manner,
) -> None:
    """Run it and render what it published."""
    require_supported(engine)
    with manner.session() as progress:
        result = orchestrate(open_root(root), sources, options, engine, progress)
    _show_summary(result, options.rules)
    if manner.json:
        print(json.dumps(result.to_json()))
    elif not manner.quiet:
        for file in result.production["files"]:
            print(f"{result.run.root.uri}/{file['path']}")


def show_current(
    stage: PublishedStage | None, root: str, output: str | None, manner: Manner
) -> None:
    """The live files' paths, one of them, its data, or the pointer as JSON."""
    place = Place(output)
    if stage is None and output is not None:
        raise UsageError("-o needs a stage", f"name one of {', '.join(PublishedStage)}")
    if manner.json and output is not None:
        raise UsageError("-o and --json exclude each other", "drop one of them")
    with manner.session():
        opened = open_root(root)
        files = published_files(opened, stage)
        if manner.json:
            print(json.dumps(read_live(opened).document))
        elif place.is_standard_output:
            print_data(Path(files[0]), Format(Path(files[0]).suffix[1:]))
        elif place.path:
            place.require_writable([])
            open_storage(place.path).copy(files[0], place.path)
        else:
            print("\n".join(files[:1] if stage else files))


def _show_summary(result: WorkflowResult, rules: Rules) -> None:
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
    show_issues(document["issues"], rules, result.run.uri)
