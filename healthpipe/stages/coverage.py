"""How much a run covers, new or live, to be compared before one takes the other's place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthpipe.choices import Format, PublishedStage
from healthpipe.errors import GateFailed, ServiceFailed
from healthpipe.storage.base import Storage
from healthpipe.storage.layout import Root


@dataclass(frozen=True)
class Coverage:
    """How many facilities a run knows, in how many states."""

    facilities: int
    states: int


def coverage_of(storage: Storage, uri: str) -> Coverage:
    """What a run covers, by the JSON twin of its state-counts; a state without facilities is none.

    Raises `ServiceFailed` where the file is gone or damaged.
    """
    found = storage.read(uri)
    try:
        document = json.loads(found[0] if found else b"")
        counts = [int(row["facilities"]) for row in document["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ServiceFailed(f"{uri} is gone or damaged", "restore it, or run again") from error
    return Coverage(sum(counts), sum(count > 0 for count in counts))


def live_coverage(
    root: Root, document: Mapping[str, Any], *, accept_drop: bool = False
) -> Coverage | None:
    """What the live run covers, by the pointer's document; None where nothing is live.

    Raises `GateFailed` where its counts are gone or damaged, but for `accept_drop`: None.
    """
    for file in document.get("files", ()):
        if (file["stage"], file["format"]) == (PublishedStage.STATE_COUNTS, Format.JSON):
            try:
                return coverage_of(root.storage, f"{root.uri}/{file['path']}")
            except ServiceFailed as error:
                if accept_drop:
                    return None
                raise GateFailed(
                    f"there is no telling how far the run drops: {error.message}",
                    "restore the file, or run once with --accept-drop",
                ) from error
    return None
