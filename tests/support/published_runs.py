"""A root with published runs, made without running any stage."""

import hashlib
import json
from pathlib import Path

from healthpipe.publishing.pointer import read_live
from healthpipe.publishing.publish import OutputFile, Publication, publish
from healthpipe.storage.layout import Root

NAMES = {"extract.parquet": "extract", "state-counts.csv": "state-counts"}


def run_id(day: str, number: int = 0) -> str:
    """An id of a run of that day (YYYY-MM-DD)."""
    return f"{day.replace('-', '')}T030000Z-{number:06x}"


def write(path: Path | str, text: str) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def finished(root: Root, run: str, status: str = "succeeded") -> Publication:
    """A run with its record and outputs in its folder, ready to be published."""
    write(f"{root.run(run)}/run.json", json.dumps({"run_id": run, "status": status}))
    outputs = []
    for name, stage in NAMES.items():
        path = write(f"{root.run(run)}/{stage}/{name}", f"{stage} of {run}")
        content = path.read_bytes()
        outputs.append(
            OutputFile(
                name=path.name,
                uri=str(path),
                stage=stage,
                format=path.suffix[1:],
                rows=1,
                bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
    return Publication(run, "2026-02-15", {"of": run}, outputs)


def publish_run(root: Root, run: str) -> dict:
    """Publish a run over what is live; returns the pointer's document."""
    return publish(root, finished(root, run), read_live(root), f"nonce of {run}").document


def require_whole(root: Root) -> None:
    """Check that every file that the pointer names is there with its bytes."""
    live = json.loads(Path(root.pointer).read_text())
    assert live["files"]
    for file in live["files"]:
        content = Path(root.uri, file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )


def below(folder: str) -> list[str]:
    """The names of what lies directly in a folder."""
    path = Path(folder)
    return sorted(p.name for p in path.iterdir()) if path.exists() else []


def live(folder: Path) -> dict | None:
    """The document current.json of the root `data` in a folder, if anything is published."""
    path = folder / "data" / "production" / "current.json"
    return json.loads(path.read_text()) if path.exists() else None
