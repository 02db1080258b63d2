"""A stage run by hand: what is asked for, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.choices import EngineName, Format
from healthpipe.ingest.manifest import Manifest
from healthpipe.progress import NoProgress, Progress
from healthpipe.runs.record import RunRecord, utc_now
from healthpipe.runs.run import Run
from healthpipe.stages.curate import Account
from healthpipe.stages.options import StageOptions
from healthpipe.stages.preview import PreviewTable
from healthpipe.stages.results import Written
from healthpipe.stages.view import Stage, View
from healthpipe.storage.layout import Root
from healthpipe.workflow.queries import QUERIES, summed

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Request:
    """A stage to run: over what, with which meaning, and where its result goes.

    Without `format` each output has its own. `output` is a URI outside the run (a folder's, of a
    stage that writes one), or None for the run's own folder; of one that `is_printed` nobody
    needs to know the name.
    """

    stage: Stage
    root: Root
    sources: Sequence[str]
    options: StageOptions
    format: Format | None = None
    output: str | None = None
    engine: EngineName = EngineName.DUCKDB
    athena: AthenaSettings = field(default_factory=AthenaSettings)
    progress: Progress = field(default_factory=NoProgress)
    with_preview: bool = False
    is_printed: bool = False

    @property
    def outputs(self) -> tuple[tuple[View, Format], ...]:
        """The views to write and their formats, the main one first; to a named file only that."""
        outputs = self.stage.outputs(self.options, self.format)
        return outputs if self.stage.is_folder or self.output is None else outputs[:1]


@dataclass(frozen=True)
class StageResult:
    """What a stage run by hand came to."""

    request: Request
    run_id: str
    manifest: Manifest
    account: Account
    path: str
    files: list[Written]
    facts: dict[str, int]
    preview: PreviewTable | None
    queries: list[dict[str, Any]]
    elapsed_s: float

    @property
    def record_folder(self) -> str:
        """Where the run's record, manifest, rejects and issues lie."""
        return self.request.root.run(self.run_id)

    def to_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.request.stage.name,
            "run_id": self.run_id,
            "status": "succeeded",
            "engine": self.request.engine.value,
            "as_of": self.request.options.as_of.isoformat(),
            **accounted(self.manifest, self.account),
            "output": self._output(),
            "queries": self.queries,
            **summed([{QUERIES: self.queries}]),
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def _output(self) -> dict[str, Any]:
        """The main file, or the folder with the sums of its files; all files if more than one."""
        main = {"path": self.path, **self.files[0].to_json()}
        if len(self.files) == 1:
            return main
        each = [{"path": file.uri, **file.to_json()} for file in self.files]
        if is_folder(self.request.stage, self.files):
            rows, size = sum(file.rows for file in self.files), sum(f.bytes for f in self.files)
            main |= {"rows": rows, "bytes": size, "sha256": None}
        return main | {"files": each}


def is_folder(stage: Stage, files: Sequence[Written]) -> bool:
    """Whether the result of a stage is a folder of files: several views, or parts of one."""
    main = [file for file in files if (file.view, file.format) == (files[0].view, files[0].format)]
    return stage.is_folder or len(main) > 1


def deliver_results(run: Run, name: str, local: Path, files: Sequence[Written]) -> list[str]:
    """Put the files of a stage in their place in the run; returns where each lies.

    Local files go as one folder, but for those beside which an engine elsewhere has put others.
    """
    if all(file.uri is None for file in files):
        uri = run.deliver_folder(name, local)
        return [f"{uri}/{file.name}" for file in files]
    return [file.uri or run.deliver(f"{name}/{file.name}", local / file.name) for file in files]


def provenance(record: RunRecord, sources: Sequence[str], root: Root) -> dict[str, Any]:
    """Where the rows of a result come from, as documents tell it."""
    return {
        "run_id": record.run_id,
        "as_of": record.as_of.isoformat(),
        "generated_at": utc_now(),
        "sources": list(sources) or [root.raw],
        "engine": record.engine,
        "query_ids": [query["id"] for query in record.queries],
    }


def accounted(manifest: Manifest, counted: Account) -> dict[str, Any]:
    """Input, records and issues as documents show them."""
    balance = counted.balance
    return {
        "input": {
            "files": len(manifest.files),
            "bytes": manifest.bytes,
            "skipped": len(manifest.skipped),
        },
        "records": {
            "lines": balance.lines,
            "accepted": balance.accepted,
            "rejected": balance.rejected,
            "superseded": balance.superseded,
            "resolved": balance.resolved,
        },
        "issues": counted.issues,
    }
