"""Showing what is live: where it lies, what the pointer says, or the data itself."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from healthpipe.choices import Format, PublishedStage
from healthpipe.cli.render import print_data
from healthpipe.cli.shared import OutputSettings, OutputTarget
from healthpipe.engines.result_files import join_parts
from healthpipe.errors import UsageError
from healthpipe.publishing.pointer import published_files, read_live
from healthpipe.storage import open_storage
from healthpipe.storage.copies import copy_file
from healthpipe.storage.layout import Root


def show_current(
    stage: PublishedStage | None, root: Root, output: str | None, manner: OutputSettings
) -> None:
    """The live files' paths, one of them, its data, or the pointer as JSON."""
    place = OutputTarget(output)
    if stage is None and output is not None:
        raise UsageError("-o needs a stage", f"name one of {', '.join(PublishedStage)}")
    if manner.json and output is not None:
        raise UsageError("-o and --json exclude each other", "drop one of them")
    with manner.session():
        files = published_files(root, stage)
        fmt = Format(PurePath(files[0]).suffix[1:])
        parts = [file for file in files if file.endswith(f".{fmt.value}")]
        if manner.json:
            print(json.dumps(read_live(root).document))
        elif place.is_standard_output:
            with _as_one(parts, fmt, root) as whole:
                print_data(open_storage(whole, root.access).local_copy(whole), fmt)
        elif place.path:
            place.require_writable([], root.access)
            with _as_one(parts, fmt, root) as whole:
                copy_file(whole, place.path, root.access)
        else:
            print("\n".join(parts if stage else files))


@contextmanager
def _as_one(parts: Sequence[str], fmt: Format, root: Root) -> Iterator[str]:
    """The URI of a file with all parts of a published result, while the block runs."""
    if len(parts) == 1:
        yield parts[0]
        return
    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        whole = Path(folder, f"whole.{fmt.value}")
        join_parts(root.storage.local_copies(parts), fmt, whole)
        yield str(whole)
