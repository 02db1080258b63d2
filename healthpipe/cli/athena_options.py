"""The options of the Athena engine, declared once."""

import re
from typing import Annotated

import typer

from healthpipe.cli.options import environment, option

UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d{1,15})\s*(kB|MB|GB|TB)?", re.IGNORECASE)
_S3 = re.compile(r"s3://[a-z0-9.-]{3,63}(/.*)?")


def parse_size(text: str | int) -> int:
    """A number of bytes, as `500MB`. Raises `typer.BadParameter`."""
    found = _SIZE.fullmatch(str(text).strip())
    if not found:
        raise typer.BadParameter(f"{text!r} is no size: give a number of bytes, or one as 500GB")
    unit = next(unit for unit in UNITS if unit.lower() == (found[2] or "").lower())
    return int(found[1]) * UNITS[unit]


def check_place(place: str | None) -> str | None:
    """An s3:// URI as given, without a slash at its end. Raises `typer.BadParameter`."""
    if place is not None and not _S3.fullmatch(place):
        raise typer.BadParameter(f"{place!r} is no place on S3: give s3://bucket/prefix")
    return place and place.rstrip("/")


DatabaseOption = Annotated[
    str,
    option(
        "--database",
        envvar=environment("DATABASE"),
        help="Glue database of the tables; made when it is not there.",
    ),
]
WorkgroupOption = Annotated[
    str,
    option("--workgroup", envvar=environment("WORKGROUP"), help="Athena workgroup of the queries."),
]
AthenaOutputOption = Annotated[
    str | None,
    option(
        "--athena-output",
        metavar="S3URI",
        envvar=environment("ATHENA_OUTPUT"),
        callback=check_place,
        help="Where Athena keeps results.  (default: as the workgroup says, else below the run)",
        show_default=False,
    ),
]
MaxBytesScannedOption = Annotated[
    int | None,
    option(
        "--max-bytes-scanned",
        metavar="SIZE",
        parser=parse_size,
        envvar=environment("MAX_BYTES_SCANNED"),
        help="End the run when its queries have scanned more, as 500GB.",
        show_default=False,
    ),
]
