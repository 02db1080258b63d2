"""The user's cache of curated segments: of files outside of any root, kept where asked for."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from healthpipe.engines.base import SegmentRows
from healthpipe.errors import UsageError
from healthpipe.stages.segments import DESCRIPTION, segment_folders
from healthpipe.storage.layout import Root
from healthpipe.storage.s3.cache import FOLDER, cache_folder
from healthpipe.storage.scratch import OWNER_ONLY_FOLDER

LIMIT_BYTES = 10 << 30
# One that was used so lately may be in use.
IDLE_S = 3600


def open_segment_cache() -> Root:
    """The root in the user's cache folder whose segments they are; only its owner can read it.

    Raises `UsageError` where the folder is somebody else's.
    """
    folder = cache_folder() / "segments"
    folder.mkdir(OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UsageError(f"{folder} belongs to somebody else", f"set {FOLDER}, or drop --cache")
    folder.chmod(OWNER_ONLY_FOLDER)
    return Root(str(folder))


def mark_used(segments: Iterable[SegmentRows]) -> None:
    """Note that segments are used now, which keeps those of the cache for longer."""
    for segment in segments:
        with suppress(OSError):  # one of a root that cannot be written to, or on S3
            os.utime(f"{segment.folder}/{DESCRIPTION}")


def evict_segments(limit: int = LIMIT_BYTES) -> None:
    """Remove unfinished segments of the cache, and beyond a limit those used least recently."""
    cache, found = open_segment_cache(), []
    for folder in segment_folders(cache):
        is_finished = Path(folder, DESCRIPTION).exists()
        used = Path(folder, DESCRIPTION if is_finished else ".").stat().st_mtime
        size = sum(file.size for file in cache.storage.list(folder))
        found.append((used, size, is_finished, folder))
    total = sum(size for _, size, *_ in found)
    for used, size, is_finished, folder in sorted(found):
        # A dead process has left one that is not finished.
        if used < time.time() - IDLE_S and (total > limit or not is_finished):
            cache.storage.remove_atomically(folder)
            total -= size
    cache.storage.delete_temporary(cache.curated, idle_s=IDLE_S)
