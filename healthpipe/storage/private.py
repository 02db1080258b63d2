"""Files that hold what was rejected: only their owner may read them."""

from pathlib import Path

OWNER_ONLY = 0o600


def make_private(path: Path) -> Path:
    """Make an empty file that only its owner reads and writes, before anything is in it."""
    path.unlink(missing_ok=True)
    path.touch(OWNER_ONLY, exist_ok=False)
    return path
