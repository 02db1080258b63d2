"""Compute a stage: read records, judge them, account for every line, write the results.

A stage run by hand, the steps of the workflow and a dry run all call `compute`. They differ in
where the records come from (`RawLines`, `CuratedLines`) and in what they ask for (`Accounting`,
`StageOutputs`, or both).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from healthpipe.engines.base import Engine, SegmentRows
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.progress import NoProgress, Progress
from healthpipe.stages.catalog import Outputs, Stage, projections_of
from healthpipe.stages.curate import (
    ACCOUNTED,
    CuratedRecords,
    PackedLines,
    Projection,
    RunCounts,
    account,
    judge_lines,
    keep_records,
    open_records,
    require_unpacked,
)
from healthpipe.stages.figures import (
    FACILITIES,
    LiveFacilities,
    RunFigures,
    measure,
    write_facilities,
)
from healthpipe.stages.options import StageOptions
from healthpipe.stages.resolutions import resolutions_in
from healthpipe.stages.results import (
    PreviewTable,
    Provenance,
    ResultPlace,
    Writer,
    WrittenFile,
    preview_of,
    summary_facts,
)
from healthpipe.storage.layout import Root

ManifestUse = Callable[[Manifest], None]
# Has the files of a manifest judged, then accounted for, over again with another manifest where
# they changed or have to be landed; returns the manifest that held: `InputReader.read`.
ManifestReader = Callable[[Manifest, ManifestUse, ManifestUse], Manifest]


def read_once(manifest: Manifest, judge: ManifestUse, account: ManifestUse) -> Manifest:
    """Read the files of a manifest without looking whether they changed."""
    judge(manifest)
    account(manifest)
    return manifest


@dataclass(frozen=True)
class OpenRecords:
    """The relations `records` and `current` of an engine, and the files that they were read from.

    `in_input_order` says whether the rows of `current` are in the order of the lines,
    `are_unrivalled` whether each facility has one record.
    """

    manifest: Manifest
    in_input_order: bool
    are_unrivalled: bool


class RecordSource(ABC):
    """Where records are read from."""

    @abstractmethod
    def open(self, engine: Engine, request: "ComputeRequest", account: ManifestUse) -> OpenRecords:
        """Make the relations `records` and `current`, and have `account` called with the files."""


@dataclass(frozen=True)
class RawLines(RecordSource):
    """The raw lines of the files of a manifest, judged as they are read."""

    manifest: Manifest
    read: ManifestReader = read_once

    def open(self, engine: Engine, request: "ComputeRequest", account: ManifestUse) -> OpenRecords:
        in_input_order = False

        def judge(manifest: Manifest) -> None:
            nonlocal in_input_order
            options = request.options
            judge_lines(engine, [file.as_lines() for file in manifest.files], options)
            in_input_order = keep_records(engine, options, request.projections)

        manifest = self.read(self.manifest, judge, account)
        return OpenRecords(manifest, in_input_order, in_input_order)


@dataclass(frozen=True)
class CuratedLines(RecordSource):
    """Lines that were judged before: the rows of segments, made from a manifest's files.

    Only accounting looks at the manifest. `are_unrivalled` says that it is known that each facility
    has one record.
    """

    segments: Sequence[SegmentRows]
    manifest: Manifest = field(default_factory=lambda: Manifest((), ()))
    are_unrivalled: bool = False

    def open(self, engine: Engine, request: "ComputeRequest", account: ManifestUse) -> OpenRecords:
        opened = open_records(
            engine,
            request.options,
            self.segments,
            request.projections,
            are_unrivalled=self.are_unrivalled,
        )
        account(self.manifest)
        return OpenRecords(self.manifest, opened.in_input_order, opened.are_unrivalled)


@dataclass(frozen=True)
class ReusedLines(RecordSource):
    """The lines of the files of a manifest, of which curated segments have all or some.

    `segments_for` returns the segments that hold the files of a manifest, and writes one for those
    that are in none; its second argument numbers the manifests. `forget` has nobody use segments of
    these files.
    """

    manifest: Manifest
    read: ManifestReader
    segments_for: Callable[[Manifest, int], list[SegmentRows]]
    forget: Callable[[Iterable[InputFile]], None]

    def open(self, engine: Engine, request: "ComputeRequest", account: ManifestUse) -> OpenRecords:
        segments: list[SegmentRows] = []
        opened = CuratedRecords(in_input_order=False, are_unrivalled=False)
        readings = count(1)

        def judge(manifest: Manifest) -> None:
            segments[:] = self.segments_for(manifest, next(readings))

        def open_and_account(manifest: Manifest) -> None:
            nonlocal opened
            opened = open_records(engine, request.options, segments, request.projections)
            try:
                account(manifest)
            except PackedLines as packed:
                self.forget(file for file in manifest.files if file.source in packed.sources)
                raise

        manifest = self.read(self.manifest, judge, open_and_account)
        return OpenRecords(manifest, opened.in_input_order, opened.are_unrivalled)


@dataclass(frozen=True)
class Measurement:
    """Ask for the figures of the run, compared with `live` if anything is.

    An engine elsewhere writes the run's facilities to the empty folder `uri`.
    """

    live: LiveFacilities | None
    uri: str


@dataclass(frozen=True)
class Accounting:
    """Ask for the counts of all lines, and for rejects and issues as files of `folder`.

    Rejected lines that repaired ones have replaced are looked up below `root`, if there is one.
    With `measurement` the figures are counted, and the facilities are another file of `folder`.
    """

    folder: Path
    root: Root | None = None
    measurement: Measurement | None = None


@dataclass(frozen=True)
class StageOutputs:
    """Ask for the outputs of a stage as new files of `folder`, or in parts at `place`.

    `provenance` is called once records are open, and names the queries that ran until then.
    """

    stage: Stage
    outputs: Outputs
    folder: Path
    provenance: Callable[[], Provenance]
    place: ResultPlace | None = None
    with_facts: bool = False
    with_preview: bool = False


@dataclass(frozen=True)
class ComputeRequest:
    """What to compute from records, and with which meaning."""

    records: RecordSource
    options: StageOptions
    accounting: Accounting | None = None
    outputs: StageOutputs | None = None

    @property
    def projections(self) -> frozenset[Projection]:
        """What the queries need of records beyond scalar fields."""
        wanted = set(ACCOUNTED if self.accounting else ())
        if self.accounting and self.accounting.measurement:
            wanted.add(Projection.FIGURES)
        if self.outputs:
            wanted |= projections_of(self.outputs.outputs)
        return frozenset(wanted)


@dataclass(frozen=True)
class ComputeResult:
    """What was computed: counts if accounting was asked for, the rest if outputs were.

    `are_unrivalled` says whether each facility has one record. `figures` are there if they were
    asked for; `facts` are counts for the summary, by what they count. `manifest` is that of the
    files that were read, which may have changed since the request.
    """

    manifest: Manifest
    are_unrivalled: bool
    accounted: RunCounts | None = None
    figures: RunFigures | None = None
    files: Sequence[WrittenFile] = ()
    facts: Mapping[str, int] = field(default_factory=dict)
    preview: PreviewTable | None = None

    @property
    def counts(self) -> RunCounts:
        """The counts of all lines. Raises `LookupError` where no accounting was asked for."""
        if self.accounted is None:
            raise LookupError("no accounting was asked for")
        return self.accounted

    def counts_document(self) -> dict[str, Any]:
        """Input, records and issues as run records and the documents of `--json` show them."""
        balance = self.counts.balance
        return {
            "input": {
                "files": len(self.manifest.files),
                "bytes": self.manifest.bytes,
                "skipped": len(self.manifest.skipped),
            },
            "records": {
                "lines": balance.lines,
                "accepted": balance.accepted,
                "rejected": balance.rejected,
                "superseded": balance.superseded,
                "resolved": balance.resolved,
            },
            "issues": self.counts.issues,
        }


def compute(
    engine: Engine, request: ComputeRequest, progress: Progress | None = None
) -> ComputeResult:
    """Read and judge the records, account for every line, write the outputs.

    Raises `Imbalance`, and `PackedLines` where files that were judged before have to be landed.

    The same request asks the engine for the same queries in the same order, which a step that is
    called again relies on: see `StepContext.engine`.
    """
    progress = progress or NoProgress()
    if isinstance(request.records, RawLines):
        progress.step(f"reading {len(request.records.manifest.files)} files", engine.progress)
    accounted = figures = None

    def account_for(manifest: Manifest) -> None:
        nonlocal accounted
        if request.accounting:
            progress.step("accounting for every line", engine.progress)
            accounted = _account(engine, request.options, request.accounting, manifest)

    records = request.records.open(engine, request, account_for)
    if request.accounting:
        figures = _measure(engine, request.options, request.accounting)
    if request.outputs is None:
        return ComputeResult(records.manifest, records.are_unrivalled, accounted, figures)
    wanted = request.outputs
    progress.step("writing the result", engine.progress)
    writer = Writer(
        engine, request.options, wanted.provenance(), records.in_input_order, wanted.place
    )
    files = writer.write_all(wanted.outputs, wanted.folder)
    facts = summary_facts(engine, wanted.stage) if wanted.with_facts else {}
    preview = None
    if wanted.with_preview:
        main, _ = wanted.outputs[0]
        preview = preview_of(engine, wanted.stage, main, request.options)
    return ComputeResult(
        records.manifest, records.are_unrivalled, accounted, figures, files, facts, preview
    )


def _account(
    engine: Engine, options: StageOptions, accounting: Accounting, manifest: Manifest
) -> RunCounts:
    root = accounting.root
    resolutions = resolutions_in(root, manifest.uris) if root else []
    counts = account(
        engine, options, accounting.folder, landed=manifest.landed_lines, resolutions=resolutions
    )
    in_place = {file.source for file in manifest.files if file.landed is None}
    if counts.balance.rejected and in_place:
        require_unpacked(engine, accounting.folder, in_place)
    return counts


def _measure(engine: Engine, options: StageOptions, accounting: Accounting) -> RunFigures | None:
    wanted = accounting.measurement
    if wanted is None:
        return None
    figures = measure(engine, options, wanted.live)
    parts = write_facilities(engine, wanted.uri, accounting.folder / FACILITIES)
    return replace(figures, facilities=parts)
