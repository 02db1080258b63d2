"""The root that healthpipe 0.1.0 wrote before the package was restructured, restored into a folder.

`tests/data/root-0.1.0.tar.gz` holds the folder `data` of /srv/healthpipe-root, where these ran:

    healthpipe orchestrate --as-of 2026-02-14 --max-rejects 50%   # a.jsonl: published
    healthpipe orchestrate --as-of 2026-02-15 --max-rejects 50%   # and b.json: published
    healthpipe extract --as-of 2026-02-15
    healthpipe orchestrate data/raw/2026-02-08 --as-of 2026-02-16   # half is gone: Audit fails

The documents in it name files relative to that folder. All that ties them to a disk are the inodes
of the two raw files, which are a part of their version.
"""

import hashlib
import json
import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).parents[1] / "data" / "root-0.1.0.tar.gz"
FIRST, SECOND, BY_HAND, FAILED = (
    "20261128T012759Z-951f6c",
    "20261128T012801Z-c77f22",
    "20261128T012803Z-81af18",
    "20261128T012805Z-b072c9",
)


def restore_root(folder: Path) -> None:
    """Unpack the root as `data` below a folder, with the raw files as its documents know them."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    manifests = [json.loads(path.read_text()) for path in folder.glob("data/runs/*/inputs.json")]
    changes = {}
    for manifest in manifests:
        before = _fingerprint(manifest)
        for file in manifest["files"]:
            version = _version(folder / file["uri"])
            changes[file["version"]] = file["version"] = version
        changes[before] = _fingerprint(manifest)
    for path in [*folder.glob("data/runs/**/*.json"), *folder.glob("data/curated/*/*.json")]:
        text = path.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        path.write_text(text)


def _version(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def _fingerprint(manifest: dict) -> str:
    """What a run record tells of its inputs, by which a run that would change nothing is known."""
    names = ("uri", "source", "version", "folder_date")
    inputs = sorted([file[name] for name in names] for file in manifest["files"])
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
