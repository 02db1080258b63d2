"""Which rejected lines have been answered by mended ones.

A replayed file has the SHA-256 of its content in its name. Below `state/` a document of that name
says which lines it answers, by digests only. An answer counts where its replayed file is: a run
that does not read the mended record still lacks it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from healthpipe.storage.layout import Root

SCHEMA_VERSION = 1
_REPLAYED = re.compile(r"replayed-([0-9a-f]{64})\.ndjson(?:\.gz)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Answer:
    """A rejected line that was answered, without its text."""

    digest: str
    source: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What a replayed file answers: the lines that `run_id` rejected; `replayed` is its URI."""

    run_id: str
    replayed: str
    replayed_at: str
    lines: Sequence[Answer]

    def to_json(self) -> dict[str, Any]:
        """The document below `state/`."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def replayed_name(content: str) -> str:
    """The name of the replayed file whose content has this SHA-256, in hex."""
    return f"replayed-{content}.ndjson"


def content_of(uri: str) -> str | None:
    """The SHA-256 in the name of a replayed file; None of any other."""
    match = _REPLAYED.fullmatch(PurePath(uri).name)
    return match[1] if match else None


def answered_by(root: Root, files: Iterable[str]) -> list[str]:
    """The digests of the lines that the replayed ones among `files` answer, each as often."""
    contents = sorted({content for uri in files if (content := content_of(uri))})
    found = (root.storage.read(root.answers(content)) for content in contents)
    lines = [line for document in found if document for line in json.loads(document[0])["lines"]]
    return [line["digest"] for line in lines if _DIGEST.fullmatch(line["digest"])]


def record_answers(root: Root, content: str, answers: Answers) -> None:
    """Keep what the replayed file of this SHA-256 answers."""
    document = json.dumps(answers.to_json(), indent=1) + "\n"
    root.storage.write(root.answers(content), document.encode())
