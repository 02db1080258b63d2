"""Fingerprints of what decides the results of a run: equal fingerprints, equal results."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import healthpipe
from healthpipe.ingest.manifest import FoundFiles, Manifest
from healthpipe.stages import segments
from healthpipe.stages.options import StageOptions
from healthpipe.storage.local import LocalStorage

Fingerprint = dict[str, str]
ALL_SQL = ("**/*.sql",)
InputIdentity = tuple[str, str, str, str | None]


def fingerprint(inputs: Iterable[InputIdentity], options: StageOptions) -> Fingerprint:
    """Compute digests of inputs, options (the as-of date among them) and SQL, and the version."""
    return {
        "inputs": _digest(sorted(inputs)),
        "options": _digest(options.to_json()),
        **code_fingerprint(),
    }


def code_fingerprint() -> Fingerprint:
    """The part that is independent of a run: the SQL with its constants, and the version."""
    return {"sql": segments.fingerprint(ALL_SQL), "version": healthpipe.__version__}


def found_inputs(found: FoundFiles) -> Iterator[InputIdentity]:
    """Identify files as they are now. A stream has no version: its content is not known yet."""
    for file in found.files:
        status = file.listed or (None if file.is_stream else LocalStorage().stat(file.uri))
        date = file.folder_date.isoformat() if file.folder_date else None
        yield (file.uri, file.source, status.version if status else "", date)


def manifest_inputs(manifest: Manifest) -> Iterator[InputIdentity]:
    """Identify the files of a manifest as they were when it was made."""
    for file in manifest.files:
        yield (file.uri, file.source, file.version, file.folder_date)


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, default=str).encode()).hexdigest()
