"""Choose the curated segments that a stage run by hand reads, and the root for new ones."""

from collections.abc import Callable, Iterable

from healthpipe.engines.base import SegmentRows
from healthpipe.ingest.manifest import FoundFiles, InputFile, Manifest
from healthpipe.runs.request import found_inputs
from healthpipe.runs.run import Run
from healthpipe.stages.compute import ReusedLines
from healthpipe.stages.segment_cache import evict_segments, mark_used, open_segment_cache
from healthpipe.stages.segment_writer import SegmentWriter
from healthpipe.stages.segments import Segment, forget_segments, reusable_files
from healthpipe.storage import absolute_uri
from healthpipe.storage.layout import Root
from healthpipe.workflow.input_reader import InputReader


def choose_stores(
    root: Root,
    found: FoundFiles,
    find: Callable[[list[Root]], Iterable[Segment]],
    *,
    can_keep: bool,
    with_cache: bool,
) -> tuple[list[Root], list[InputFile]]:
    """Choose the roots whose segments are read, the first of which can be given what is missing.

    Returns also the files in their segments, which need not be opened. `find` finds the segments of
    roots, `can_keep` says whether the root takes new ones. None is chosen where raw lines have to
    be read: segments lack files outside the root, which are health records and are kept with
    `with_cache` alone, in the user's cache.
    """
    stores = [root]
    if with_cache:
        stores.append(open_segment_cache())
    known = reusable_files(find(stores))
    held = {(file.uri, file.version) for file in known}
    files = {(absolute_uri(uri), version) for uri, _, version, _ in found_inputs(found)}
    missing, inside = files - held, f"{absolute_uri(root.uri)}/"
    if not missing or (can_keep and all(uri.startswith(inside) for uri, _ in missing)):
        return stores, known
    if with_cache and not any(file.is_stream for file in found.files):
        return stores[::-1], known
    return [], []


def reused_lines(
    run: Run, reader: InputReader, found: FoundFiles, writer: SegmentWriter, *, with_cache: bool
) -> ReusedLines:
    """Read the files that were found from segments, whose names the run keeps."""

    def segments_for(manifest: Manifest, reading: int) -> list[SegmentRows]:
        segments = writer.segments_for(manifest, reading)
        writer.remove_superseded(segments)
        run.keep_segments(segments)
        if with_cache:
            mark_used(segments)
            evict_segments()
        return segments

    def forget(files: Iterable[InputFile]) -> None:
        forget_segments(writer.stores, files)

    return ReusedLines(reader.make_manifest(found), reader.read, segments_for, forget)
