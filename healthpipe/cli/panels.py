"""Groups of options in the help of commands that have many."""

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

from typer.models import OptionInfo

# With fewer, one list is easier to read.
MANY = 15


def in_panels(
    names: Sequence[str], declared: Mapping[str, tuple[Any, Any]], panels: Mapping[str, str]
) -> dict[str, Any]:
    """The annotations of a command's options, each with the panel that its name belongs to.

    Arguments, options of no panel and those of a command with few options stay as they are.
    """
    found = {name: declared[name][0] for name in names}
    if len(names) < MANY:
        return found
    return {
        name: _in_panel(annotation, panels[name]) if name in panels else annotation
        for name, annotation in found.items()
    }


def _in_panel(annotation: Any, panel: str) -> Any:
    kind, info = get_args(annotation)
    if not isinstance(info, OptionInfo):
        return annotation
    grouped = copy.copy(info)
    grouped.rich_help_panel = panel
    return Annotated[kind, grouped]
