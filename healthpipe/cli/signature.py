"""Declare options, check their values, and expand groups of them into a command's signature.

Option groups are frozen dataclasses.
A command takes a context and keywords. A keyword annotated with a dataclass becomes one option for
each of its fields, and the command gets the instance back; other keywords stay as they are.
Options that are hidden, and those of groups and keywords marked as `RARE`, are shown by --help-all
alone.
"""

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from inspect import Parameter, Signature, signature
from operator import itemgetter
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

from healthpipe.choices import ACCEPTABLE
from healthpipe.errors import UsageError
from healthpipe.text import parse_size

# A command with fewer parameters shows its options as one list, which is then easier to read.
MIN_FOR_PANELS = 15

# Annotates a keyword or a field of which --help says nothing, but --help-all.
RARE = "rare"

OptionGroup = type[Any]


class AppliedFirst:
    """A group of options that takes effect before the command is called."""

    def apply_first(self, context: typer.Context) -> None:
        """Take effect."""
        raise NotImplementedError


_S3 = re.compile(r"s3://[a-z0-9.-]{3,63}(/.*)?")


def option(flag: str, *short: str, env: str | None = None, **settings: Any) -> Any:
    """Declare an option that can be set in the environment: --as-of as HEALTHPIPE_AS_OF."""
    name = env or flag.removeprefix("--").replace("-", "_").upper()
    return one_call_option(flag, *short, envvar=f"HEALTHPIPE_{name}", **settings)


def one_call_option(*flags: str, panel: str | None = None, **settings: Any) -> Any:
    """Declare an option that is meant for one call: neither the environment nor a file sets it."""
    # The environment variables follow one pattern, so --help does not list them.
    return typer.Option(*flags, show_envvar=False, rich_help_panel=panel, **settings)


def show_all_help(context: typer.Context, is_given: bool) -> None:
    """Print the help of the command with all its options, and end it."""
    if is_given and not context.resilient_parsing:
        for parameter in context.command.params:
            vars(parameter)["hidden"] = False
        typer.echo(context.get_help())
        raise typer.Exit


HELP_ALL = Parameter(
    "help_all",
    Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        one_call_option(
            "--help-all",
            metavar="",
            is_eager=True,
            callback=show_all_help,
            help="Show this message with all options.",
        ),
    ],
)


def check_owner(account: str | None) -> str | None:
    """Return an AWS account id as given. Raises `UsageError` for what is none."""
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"--bucket-owner {account!r} is no account id", "give its 12 digits")
    return account


def check_gates(gates: list[str] | None) -> list[str] | None:
    """Return the names of gates as given. Raises `UsageError` for one that cannot be accepted."""
    for gate in gates or ():
        if gate not in ACCEPTABLE:
            raise UsageError(
                f"--accept {gate!r} is no gate that can be accepted",
                f"give one of {', '.join(ACCEPTABLE)}",
            )
    return gates


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


def parse_bytes(text: str | int) -> int:
    """Parse a number of bytes, as `500MB`. Raises `typer.BadParameter`."""
    try:
        return parse_size(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def expand_options(
    command: Callable[..., None], **groups: Sequence[OptionGroup]
) -> Callable[..., None]:
    """Return the command with its option groups expanded, for Typer.

    A keyword named in `groups` stands for those groups and gets a tuple of their instances.
    """
    declared = signature(command).parameters
    hints = get_type_hints(command, include_extras=True)
    parameters: list[Parameter] = []
    builders: dict[str, Callable[[dict[str, Any]], Any]] = {}
    for name, parameter in declared.items():
        if name in groups:
            parameters += [each for group in groups[name] for each in _parameters(group)]
            builders[name] = partial(_instances, groups[name])
        elif is_dataclass(group := _bare(hints[name])) and isinstance(group, type):
            parameters += _parameters(group, *get_args(hints[name])[1:])
            builders[name] = partial(_instance, group)
        else:
            own = parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
            parameters.append(own)
            builders[name] = itemgetter(name)

    def expanded(**values: Any) -> None:
        given = {name: build(values) for name, build in builders.items()}
        for group in given.values():
            if isinstance(group, AppliedFirst):
                group.apply_first(values["context"])
        command(**given)

    # Set directly: functools.wraps together with __signature__ loses arguments in Typer.
    expanded.__doc__ = command.__doc__
    with_panels = len(parameters) > MIN_FOR_PANELS  # the context is one of them
    shown = [_shown(each, with_panels=with_panels) for each in parameters]
    if any(_is_hidden(each) for each in shown):
        shown.append(HELP_ALL)
    expanded.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    expanded.__annotations__ = {each.name: each.annotation for each in shown}
    return expanded


def _parameters(group: OptionGroup, *marks: str) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = Parameter.empty if field.default is MISSING else field.default
        annotation = Annotated[(hints[field.name], *marks)] if marks else hints[field.name]
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _bare(annotation: Any) -> Any:
    """Return a type without what annotates it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_hidden(parameter: Parameter) -> bool:
    return any(getattr(each, "hidden", False) for each in get_args(parameter.annotation))


def _instance(group: OptionGroup, values: dict[str, Any]) -> Any:
    return group(**{field.name: values[field.name] for field in fields(group)})


def _instances(groups: Sequence[OptionGroup], values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_instance(group, values) for group in groups)


def _shown(parameter: Parameter, *, with_panels: bool) -> Parameter:
    """Set how a parameter looks in --help: without a default where it has none."""
    if get_origin(parameter.annotation) is not Annotated:
        return parameter
    kind, info, *marks = get_args(parameter.annotation)
    shown = copy.copy(info)
    shown.hidden = info.hidden or RARE in marks
    if parameter.default is None:
        shown.show_default = False
    if kind is bool and not shown.metavar:
        shown.metavar = ""  # a flag takes no value
    if isinstance(info, OptionInfo) and not with_panels:
        shown.rich_help_panel = None
    return parameter.replace(annotation=Annotated[kind, shown])
