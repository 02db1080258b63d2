"""The command generate-data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import MANNER, declare

MAX_RECORDS = 1_000_000_000
OWN = {
    "n": (
        Annotated[int, typer.Option("--n", min=1, max=MAX_RECORDS, help="Number of records.")],
        1000,
    ),
    "chunk": (Annotated[int, typer.Option("--chunk", min=1, help="Records in a file.")], 100),
    "snapshot": (
        Annotated[
            str | None,
            typer.Option(metavar="DATE", help="The snapshot's day.  (default: today in UTC)"),
        ],
        None,
    ),
    "start_index": (
        Annotated[int, typer.Option(min=0, help="Index of the first record.")],
        1,
    ),
    "seed": (Annotated[int, typer.Option(help="Another seed gives other records.")], 42),
    "outdir": (
        Annotated[Path | None, typer.Option(help="Folder of the files.  (default: <root>/raw)")],
        None,
    ),
    "defects": (
        Annotated[
            int,
            typer.Option(
                min=0, max=MAX_RECORDS, help="Number of bad records, of every kind in turn."
            ),
        ],
        0,
    ),
    "answers": (
        Annotated[
            Path | None,
            typer.Option(
                help="Where to write what the commands have to find; with --defects.  "
                "(default: <outdir>-answers.json)"
            ),
        ],
        None,
    ),
}


def generate_data(context: typer.Context, **given: Any) -> None:
    """Write synthetic records; the same options give the same bytes.

    For example: healthpipe generate-data --n 1000 --snapshot 2025-08-10
    """
    from healthpipe.cli.run_generate import GenerateCommand, RecordOptions

    names = ("n", "chunk", "snapshot", "start_index", "seed")
    records = RecordOptions(*(given[name] for name in names))
    places = (given["defects"], given["answers"], given["outdir"], given["root"])
    GenerateCommand(records, *places).run(OutputSettings.of(given))


declare(generate_data, ("root", *MANNER), OWN)
