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
from healthpipe.cli.signature import expand_options, one_call_option
from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.publishing.pointer import PublishedFile
    from healthpipe.storage.layout import Root

StageArgument = Annotated[
    PublishedStage | None, typer.Argument(help="Only this stage's file.", show_default=False)
]

FormatOption = Annotated[
    Format | None,
    one_call_option(
        "--format",
        show_default=False,
        help="Only what is published in this format.  (default: the stage's first)",
    ),
]


@expand_options
def current(
    context: typer.Context,
    *,
    stage: StageArgument = None,
    root: RootOptions,
    output: OutputOption = None,
    fmt: FormatOption = None,
    aws: AwsOptions,
    messages: MessageOptions,
) -> None:
    """Show where the live published files are, or with -o - what is in one.

    For example: healthpipe current state-counts -o -
    """
    show_current(stage, root.open(aws), OutputTarget(output, fmt), messages.apply())


def show_current(
    stage: PublishedStage | None, root: "Root", target: OutputTarget, settings: OutputSettings
) -> None:
    """Print the live files' paths, one of them, its data, or the pointer as JSON.

    Raises `PublishedDamaged` before it prints anything of a file that is not what was published.
    """
    from healthpipe.publishing.pointer import require_published
    from healthpipe.publishing.publish import require_intact
    from healthpipe.storage.scratch import copy_file

    output, wanted = target.output, target.chosen_format()
    if stage is None and output is not None:
        raise UsageError("-o needs a stage", f"name one of {', '.join(PublishedStage)}")
    if settings.json and output is not None:
        raise UsageError("-o and --json exclude each other", "drop one of them")
    with settings.session():
        published = require_published(root)
        of_stage = [file for file in published.files if stage is None or file.stage == stage]
        files = _of_format(of_stage, wanted)
        fmt = _format_of(files[0])
        parts = [file for file in files if _format_of(file) is fmt]
        if settings.json:
            require_intact(root, published.files)
            print(json.dumps(published.document))
        elif target.is_standard_output:
            with _joined(parts, fmt, root) as whole:
                print_data(whole, fmt)
        elif target.path:
            target.require_writable([], root.access)
            with _joined(parts, fmt, root) as whole:
                copy_file(str(whole), target.path, root.access)
        else:
            shown = parts if stage else files
            require_intact(root, shown)
            print("\n".join(f"{root.uri}/{file.path}" for file in shown))


def _of_format(files: Sequence["PublishedFile"], wanted: Format | None) -> list["PublishedFile"]:
    """Choose the files of a format, all without one. Raises `UsageError` where there is none."""
    found = [file for file in files if wanted in (None, _format_of(file))]
    if not found:
        there_are = ", ".join(dict.fromkeys(_format_of(file).value for file in files))
        raise UsageError(
            f"nothing is published as {wanted.value if wanted else 'that'}",
            f"give --format one of {there_are}; a stage by hand writes any format",
        )
    return found


def _format_of(file: "PublishedFile") -> Format:
    return Format(PurePath(file.path).suffix[1:])


@contextmanager
def _joined(parts: Sequence["PublishedFile"], fmt: Format, root: "Root") -> Iterator[Path]:
    """Verify the parts of a published result, and join them to one file while the block runs.

    Yields its path. Raises `PublishedDamaged`.
    """
    from healthpipe.publishing.publish import fetch_intact

    copies = fetch_intact(root, parts)
    if len(copies) == 1:
        yield copies[0]
        return
    from healthpipe.engines.result_files import join_parts

    with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
        whole = Path(folder, f"whole.{fmt.value}")
        join_parts(copies, fmt, whole)
        yield whole
