"""Find and remove what nobody needs any more: old runs, old published copies, leftovers.

Kept are the newest published runs, for a rollback, whatever the pointer names, and runs that are at
work. A removal renames a folder first, so that a kill at any instant leaves it whole or gone; the
next removal deletes the rest of one that was cut short.
"""

import datetime
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from msgspec import ValidationError

from healthpipe.cancellation import raise_if_cancelled
from healthpipe.publishing.pointer import read_live, recorded_generations
from healthpipe.stages.segments import (
    MERGED,
    SEGMENTS,
    is_finished,
    replaced_segments,
    segment_folders,
    segments_in,
    why_unusable,
)
from healthpipe.storage.base import TEMPORARY
from healthpipe.storage.layout import RECORD_VERSION, Root, day_of_run, require_known_version

# The statuses of runs that are at work or may be resumed.
RUNNING = "running"
UNFINISHED = (RUNNING, "failed", "interrupted")
# How many seconds a segment is kept after a merge: a stage run by hand may just have found it.
REPLACED_FOR_S = 86_400


class RemovalKind(StrEnum):
    """The kinds of things that are removed."""

    PRODUCTION = "production"
    RUN = "run"
    SEGMENT = "segment"
    LEFTOVER = "leftover"
    FRAGMENT = "fragment"


@dataclass(frozen=True)
class Removal:
    """A folder to remove, or of fragments a file, with its size in bytes and the reason."""

    kind: RemovalKind
    uri: str
    bytes: int
    why: str


@dataclass(frozen=True)
class _PublishedRuns:
    """The runs in the history: those to keep, and all; whether every generation can be read; and
    the folders that must stay because they are live.
    """

    kept: frozenset[str]
    published: frozenset[str]
    is_whole: bool
    live: frozenset[str]


def plan_prune(root: Root, *, keep: int, days: int, today: datetime.date) -> list[Removal]:
    """List what can be removed: copies of all but the newest `keep` published runs; runs and the
    leftovers of killed runs and failed publications that are more than `days` old; unusable
    segments.
    """
    runs, oldest = _published_runs(root, keep), today - datetime.timedelta(days=days)
    return [
        *_copies(root, runs),
        *_unpublished_copies(root, runs, oldest),
        *_segments(root, runs, oldest),
        *_runs(root, runs, oldest, days),
        *_interrupted_removals(root, oldest),
    ]


def prune_published(root: Root, keep: int) -> list[Removal]:
    """Remove the copies of all but the newest `keep` published runs; returns what was removed."""
    return remove_planned(root, list(_copies(root, _published_runs(root, keep))))


def remove_planned(root: Root, removals: Sequence[Removal]) -> list[Removal]:
    """Remove what was planned, except what became live meanwhile; returns what was removed."""
    done = []
    for removal in removals:
        raise_if_cancelled()
        if removal.uri in _live_folders(root):
            continue
        if removal.kind is RemovalKind.FRAGMENT:
            root.storage.delete(removal.uri)
        else:
            root.storage.remove_atomically(removal.uri)
        done.append(removal)
    return done


def _live_folders(root: Root) -> frozenset[str]:
    """The folders of the live run, and those of the files that the pointer names."""
    published = read_live(root).published
    if published is None:
        return frozenset()
    parts = (PurePath(file.path).parts[:2] for file in published.files)
    own = {root.published(published.run_id), root.run(published.run_id)}
    return frozenset(own | {"/".join((root.uri, *part)) for part in parts})


def _published_runs(root: Root, keep: int) -> _PublishedRuns:
    order: dict[str, None] = {}
    is_whole = True
    for _, published in recorded_generations(root):
        if published:
            order.setdefault(published.run_id)
        else:
            is_whole = False
    return _PublishedRuns(
        frozenset(list(order)[:keep]), frozenset(order), is_whole, _live_folders(root)
    )


def _copies(root: Root, runs: _PublishedRuns) -> Iterator[Removal]:
    for name, folder in _named(root, root.production):
        if name in runs.published - runs.kept and folder not in runs.live:
            why = f"not among the {len(runs.kept)} published last"
            yield _removal(root, RemovalKind.PRODUCTION, folder, why)


def _unpublished_copies(
    root: Root, runs: _PublishedRuns, oldest: datetime.date
) -> Iterator[Removal]:
    # A damaged copy of the pointer may have named any of them.
    if runs.is_whole:
        for name, folder in _named(root, root.production):
            if name in runs.published or folder in runs.live:
                continue
            if _is_older(name, oldest):
                yield _removal(root, RemovalKind.LEFTOVER, folder, "never published")


def _segments(root: Root, runs: _PublishedRuns, oldest: datetime.date) -> Iterator[Removal]:
    """Segments that no run can use, or that others have replaced for a day.

    Not those that a run at work reads; and of those that are replaced, not one that a run reads
    which may be resumed or rolled back to.
    """
    read, needed = _segments_read(root, runs)
    replaced = replaced_segments(root, time.time() - REPLACED_FOR_S)
    for folder in segment_folders(root):
        name = PurePath(folder).name.removesuffix(MERGED)
        if folder in read:
            continue
        if is_finished(root, folder):
            why = why_unusable(root, folder)
            if why is None and folder in replaced - needed:
                why = "others hold its files"
            if why:
                yield _removal(root, RemovalKind.SEGMENT, folder, why)
        elif _is_older(name, oldest) and not _is_running(root, name):
            yield _removal(root, RemovalKind.LEFTOVER, folder, "its run did not finish it")


def _runs(root: Root, runs: _PublishedRuns, oldest: datetime.date, days: int) -> Iterator[Removal]:
    for name, folder in _named(root, root.runs):
        if name in runs.kept or folder in runs.live or not _is_older(name, oldest):
            continue
        if not _is_running(root, name):
            yield _removal(root, RemovalKind.RUN, folder, f"more than {days} days old")


def _interrupted_removals(root: Root, oldest: datetime.date) -> Iterator[Removal]:
    """What a kill has left: folders of unfinished removals, and files that were being written."""
    why = "a kill left it"
    withdrawn = [
        folder
        for parent in (root.production, root.runs, root.curated)
        for folder in root.storage.folders(parent)
        if PurePath(folder).name.startswith(TEMPORARY)
    ]
    for folder in withdrawn:
        yield _removal(root, RemovalKind.LEFTOVER, folder, why)
    for parent in (root.production, root.curated, root.state):
        for file in root.storage.list(parent):
            written = datetime.datetime.fromtimestamp(file.modified, datetime.UTC).date()
            is_inside = any(file.uri.startswith(f"{folder}/") for folder in withdrawn)
            is_temporary = PurePath(file.uri).name.startswith(TEMPORARY)
            if is_temporary and not is_inside and written < oldest:
                yield Removal(RemovalKind.FRAGMENT, file.uri, file.size, why)


def _named(root: Root, parent: str) -> list[tuple[str, str]]:
    """The folders of runs directly in a folder, with the runs' ids."""
    folders = ((PurePath(folder).name, folder) for folder in root.storage.folders(parent))
    return [(name, folder) for name, folder in folders if day_of_run(name)]


def _is_older(run_id: str, oldest: datetime.date) -> bool:
    day = day_of_run(run_id)
    return day is not None and day < oldest


def _segments_read(root: Root, runs: _PublishedRuns) -> tuple[frozenset[str], frozenset[str]]:
    """The folders of the segments of runs at work, and of those that may be resumed, that are kept
    or live.
    """
    live = {PurePath(folder).name for folder in runs.live}
    read: set[str] = set()
    needed: set[str] = set()
    for run_id, folder in _named(root, root.runs):
        status = _status(root, run_id)
        if status not in UNFINISHED and run_id not in runs.kept | live:
            continue
        found = root.storage.read(f"{folder}/{SEGMENTS}")
        with suppress(ValueError, ValidationError, KeyError):  # damaged
            document = json.loads(found[0]) if found else {"segments": []}
            folders = {segment.folder for segment in segments_in(root, document)}
            needed |= folders
            read |= folders if status == RUNNING else set()
    return frozenset(read), frozenset(needed)


def _is_running(root: Root, run_id: str) -> bool:
    return _status(root, run_id) == RUNNING


def _status(root: Root, run_id: str) -> str | None:
    """The status in the record of a run; None where it is damaged."""
    uri = root.record(run_id)
    found = root.storage.read(uri)
    try:
        record = json.loads(found[0]) if found else None
    except ValueError:
        return None
    require_known_version(record, RECORD_VERSION, uri)
    return record.get("status") if isinstance(record, dict) else None


def _removal(root: Root, kind: RemovalKind, folder: str, why: str) -> Removal:
    size = sum(file.size for file in root.storage.list(folder))
    return Removal(kind, folder, size, why)
