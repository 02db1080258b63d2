"""Parse, check and collect the values of options, before anything is done."""

import datetime
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import typer

from healthpipe.errors import UsageError

if TYPE_CHECKING:
    from healthpipe.stages.options import RawOptions

SIZE_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
AGE_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SIZE = re.compile(r"(\d{1,15})\s*(kB|MB|GB|TB)?", re.IGNORECASE)
_S3 = re.compile(r"s3://[a-z0-9.-]{3,63}(/.*)?")


def check_owner(account: str | None) -> str | None:
    """Return an AWS account id as given. Raises `UsageError` for what is none."""
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"--bucket-owner {account!r} is no account id", "give its 12 digits")
    return account


def check_topic(topic: str | None) -> str | None:
    """Return the ARN of a topic as given. Raises `UsageError` for what is none."""
    if topic is not None:
        from healthpipe.alerts.channels import region_of

        region_of(topic)
    return topic


def check_s3_uri(uri: str | None) -> str | None:
    """Return an s3:// URI without a slash at its end. Raises `typer.BadParameter`."""
    if uri is not None and not _S3.fullmatch(uri):
        raise typer.BadParameter(f"{uri!r} is no place on S3: give s3://bucket/prefix")
    return uri and uri.rstrip("/")


def parse_size(text: str | int) -> int:
    """Parse a number of bytes, as `500MB`. Raises `typer.BadParameter`."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match:
        raise typer.BadParameter(f"{text!r} is no size: give a number of bytes, or one as 500GB")
    unit = next(unit for unit in SIZE_UNITS if unit.lower() == (match[2] or "").lower())
    return int(match[1]) * SIZE_UNITS[unit]


def parse_age(text: str | None) -> datetime.timedelta | None:
    """Parse a whole number of minutes, hours or days, as `26h`. Raises `UsageError`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None:
        raise UsageError(f"--max-age {text!r} is no age", "give for example 90m, 26h or 2d")
    return datetime.timedelta(**{AGE_UNITS[match[2]]: int(match[1])})


def raw_options(context: typer.Context, *groups: object) -> "RawOptions":
    """Collect the options about the meaning of records from all groups, as they were written."""
    from healthpipe.stages.options import RawOptions

    names = {field.name for field in fields(RawOptions)}
    written: dict[str, Any] = {
        field.name: getattr(group, field.name)
        for group in groups
        for field in fields(group)  # type: ignore[arg-type]
        if field.name in names
    }
    window = [name for name in written if name in ("months", "days")]
    for name in _less_explicit(context, window):
        written[name] = None
    return RawOptions(**written)


def _less_explicit(context: typer.Context, names: list[str]) -> list[str]:
    """Find which of options that exclude each other yield to a more explicit source.

    A --days on the command line sets aside the months of a configuration file.
    """
    sources = ("DEFAULT", "DEFAULT_MAP", "ENVIRONMENT", "COMMANDLINE")
    rank = {
        name: sources.index(source.name) if source else 0
        for name in names
        for source in [context.get_parameter_source(name)]
    }
    return [name for name in names if rank[name] != max(rank.values())]
