"""The command that shows what is live."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.choices import Format, PublishedStage
from healthpipe.cli.console import OutputSettings
from healthpipe.cli.options import AwsOptions, MessageOptions, OutputOption, RootOptions
from healthpipe.cli.output import OutputTarget
from healthpipe.cli.render import print_data
from healthpipe.cli.signature import expand_options
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.storage.layout import Root

StageArgument = Annotated[
    PublishedStage | None, typer.Argument(help="Only this stage's file.", show_default=False)
]


@expand_options
def current(
    context: typer.Context,
    *,
    stage: StageArgument = None,
    root: RootOptions,
    output: OutputOption = None,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Show where the live published files are, or with -o - what is in one.

    For example: healthpipe current state-counts -o -
    """
    show_current(stage, root.open(aws), output, messages.apply())


def show_current(
    stage: PublishedStage | None, root: "Root", output: str | None, settings: OutputSettings
) -> None:
    """Print the live files' paths, one of them, its data, or the pointer as JSON."""
    from healthpipe.publishing.pointer import published_files, read_live
    from healthpipe.storage import open_storage
    from healthpipe.storage.scratch import copy_file

    target = OutputTarget(output)
    if stage is None and output is not None:
        raise UsageError("-o needs a stage", f"name one of {', '.join(PublishedStage)}")
    if settings.json and output is not None:
        raise UsageError("-o and --json exclude each other", "drop one of them")
    with settings.session():
        files = published_files(root, stage)
        fmt = Format(PurePath(files[0]).suffix[1:])
        parts = [file for file in files if file.endswith(f".{fmt.value}")]
        if settings.json:
            print(json.dumps(read_live(root).document))
        elif target.is_standard_output:
            with _joined(parts, fmt, root) as whole:
                print_data(open_storage(whole, root.access).local_copy(whole), fmt)
        elif target.path:
            target.require_writable([], root.access)
            with _joined(parts, fmt, root) as whole:
                copy_file(whole, target.path, root.access)
        else:
            print("\n".join(parts if stage else files))


@contextmanager
def _joined(parts: Sequence[str], fmt: Format, root: "Root") -> Iterator[str]:
    """Join the parts of a published result to one file while the block runs; yields its URI."""
    if len(parts) == 1:
        yield parts[0]
        return
    from healthpipe.engines.result_files import join_parts

    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        whole = Path(folder, f"whole.{fmt.value}")
        join_parts(root.storage.local_copies(parts), fmt, whole)
        yield str(whole)
