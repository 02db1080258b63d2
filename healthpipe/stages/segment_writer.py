"""Find the curated segments of a run's files, and write one with those that are in none."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from healthpipe.choices import EngineName, Format
from healthpipe.engines.base import Engine, LinesRefused, Query, SegmentRows
from healthpipe.ingest.manifest import InputFile, Manifest
from healthpipe.progress import NoProgress, Progress
from healthpipe.stages.curate import in_order_of_names, write_segment
from healthpipe.stages.options import StageOptions
from healthpipe.stages.segments import (
    DATA,
    DESCRIPTION,
    MERGED,
    Segment,
    SegmentPart,
    as_segment_file,
    choose_segments,
    describe_segment,
    find_segments,
)
from healthpipe.storage.layout import Root

# In the folder of a run: the lines of files that other runs have to read themselves.
OWN_LINES = "curated/own"
# How many segments a run reads as they are; more are merged.
MAX_SEGMENTS = 50


@dataclass(frozen=True)
class SegmentWriter:
    """Finds the segments of a run in `stores`, and writes its own one to the first of them.

    The run is at its `attempt` with the local folder `scratch`; `open_engine` opens an engine for a
    block. Lines that no other run may use go to the run's folder, `run`.
    """

    stores: Sequence[Root]
    run: str
    engine: EngineName
    options: StageOptions
    scratch: Path
    attempt: int
    open_engine: Callable[[], AbstractContextManager[Engine]]
    progress: Progress = field(default_factory=NoProgress)

    @property
    def root(self) -> Root:
        """The root that the run's own segment is written to."""
        return self.stores[0]

    @property
    def folder(self) -> str:
        """The folder of the run's own segment."""
        return f"{self.root.curated}/{PurePath(self.run).name}"

    @property
    def own_lines(self) -> str:
        """The folder in the run of the lines that no other run may use."""
        return f"{self.run}/{OWN_LINES}"

    def find(self) -> list[Segment]:
        """The segments that the engine can use, those with the most files first."""
        return find_segments(self.stores, self.options.null_words, self.engine)

    def segments_for(self, manifest: Manifest, reading: int) -> list[SegmentRows]:
        """The segments that hold the files; those in none are written to the run's own one.

        `reading` numbers the manifests of this attempt. Where one was made anew, the run's own
        segment is replaced whole. Raises `LinesRefused` with files that were not opened because a
        segment held them, and are now in none.
        """
        found = self.find()
        chosen, missing = choose_segments(found, manifest.files)
        if not missing:
            return chosen
        others = (segment for segment in found if segment.folder != self.folder)
        chosen, missing = choose_segments(others, manifest.files)
        if unopened := [file.uri for file in missing if file.is_reused]:
            raise LinesRefused(unopened)
        return [*chosen, *self._write(missing, reading)]

    def merge(self, manifest: Manifest, segments: Sequence[SegmentRows]) -> list[SegmentRows]:
        """Merge segments into one if there are more than `MAX_SEGMENTS`; returns those to read.

        The segments that were merged stay for other runs until `runs prune` removes them.
        """
        own = [each for each in segments if each.folder == self.own_lines]
        if len(segments) - len(own) <= MAX_SEGMENTS:
            return list(segments)
        ordered, _ = in_order_of_names([each for each in segments if each not in own])
        by_source = {file.source: file for file in manifest.files}
        files = [by_source[file.source] for each in ordered for file in each.files if file]
        self.progress.step(f"merging {len(ordered)} segments")
        merged = Query("merged")
        digest = hashlib.sha256("".join(each.folder for each in ordered).encode()).hexdigest()[:8]
        folder, local = f"{self.folder}{MERGED}", self.scratch / DATA
        with self.open_engine() as engine:
            engine.read_segments("held", ordered)
            uris = engine.unload(merged, f"{folder}/{self.attempt}/{digest}", Format.PARQUET)
            if uris is None:
                engine.write_table(merged, local)
        rows, parts = self._deliver(folder, files, sorted(uris or ()), local)
        description = describe_segment(files, parts, self.options.null_words, self.engine)
        self.root.storage.write(f"{folder}/{DESCRIPTION}", description)
        return [rows, *own]

    def remove_superseded(self, segments: Sequence[SegmentRows]) -> None:
        """Remove what failed or repeated queries have left in the run's own segment."""
        own = next((each for each in segments if each.folder == self.folder), None)
        if own is None:
            return
        kept = {*own.paths, f"{self.folder}/{DESCRIPTION}"}
        for file in list(self.root.storage.list(self.folder)):
            if file.uri not in kept:
                self.root.storage.delete(file.uri)

    def _write(self, files: Sequence[InputFile], reading: int) -> list[SegmentRows]:
        """Write the lines of files to the run's own segment.

        Lines that are of no use to other runs lie in the run: no description names their files.
        """
        storage = self.root.storage
        # What describes the segment goes first: no description may be of other rows than these.
        storage.delete(f"{self.folder}/{DESCRIPTION}")
        shared = [file for file in files if not file.is_of_one_run]
        own = [file for file in files if file.is_of_one_run]
        written = []
        if shared:
            rows, parts = self._write_lines(self.folder, shared, reading)
            description = describe_segment(shared, parts, self.options.null_words, self.engine)
            storage.write(f"{self.folder}/{DESCRIPTION}", description)
            written.append(rows)
        if own:
            written.append(self._write_lines(self.own_lines, own, reading)[0])
        return written

    def _write_lines(
        self, folder: str, files: Sequence[InputFile], reading: int
    ) -> tuple[SegmentRows, list[SegmentPart]]:
        """Judge the lines of files, and write them as Parquet below a folder."""
        local = self.scratch / DATA
        with self.open_engine() as engine:
            self.progress.step(f"reading {len(files)} files", engine.progress)
            uris = write_segment(
                engine,
                [file.as_lines() for file in files],
                self.options,
                f"{folder}/{self._part_of(files, reading)}",
                local,
            )
        return self._deliver(folder, files, uris, local)

    def _deliver(
        self, folder: str, files: Sequence[InputFile], uris: Sequence[str], local: Path
    ) -> tuple[SegmentRows, list[SegmentPart]]:
        """Describe the Parquet of a segment, which is at `uris`, or is moved there from `local`."""
        storage = self.root.storage
        if uris:
            sizes = {file.uri: file.size for file in storage.list(folder)}
            parts = [SegmentPart(uri.removeprefix(f"{folder}/"), sizes[uri]) for uri in uris]
        else:
            with local.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            parts = [SegmentPart(DATA, local.stat().st_size, digest)]
            uris = [f"{folder}/{DATA}"]
            storage.deliver(local, uris[0])
        return SegmentRows(folder, tuple(uris), tuple(map(as_segment_file, files))), parts

    def _part_of(self, files: Sequence[InputFile], reading: int) -> str:
        """The place in a segment's folder for one reading of these files alone.

        A step that is called again finds the queries of its earlier calls by their text, which
        names this place: a query that read the files before they changed or were landed must not
        be found.
        """
        description = describe_segment(files, (), self.options.null_words, self.engine)
        landed = "".join(file.landed or "-" for file in files)
        digest = hashlib.sha256(description + landed.encode(errors="surrogateescape")).hexdigest()
        return f"{self.attempt}/{reading}-{digest[:8]}"
