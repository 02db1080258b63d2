"""The feed of an input file: the deliveries of one sender that follow each other."""

import re

from healthpipe.ingest.manifest import folder_date

# The name of a raw file of repaired lines, with the SHA-256 of its content.
REPLAYED = re.compile(r"replayed-([0-9a-f]{64})\.ndjson(?:\.gz)?")
_DIGITS = re.compile(r"[0-9]+")


def feed_of(source: str) -> str:
    """The feed of a file, by its name relative to SOURCE.

    All files are of one feed whose names agree once date folders (`2026-11-20`,
    `snapshot_date=2026-11-20`) are left out and each run of digits is `#`. All files of repaired
    lines are one feed, too.
    """
    *folders, name = source.split("/")
    if REPLAYED.fullmatch(name):
        return "replayed-#.ndjson"
    kept = [folder for folder in folders if folder_date([folder]) is None]
    return _DIGITS.sub("#", "/".join([*kept, name]))
