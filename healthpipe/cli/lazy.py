"""A group of commands whose modules are imported when a command is called."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class LazyCommand(NamedTuple):
    """A command or a group: its `module:name` to import, and the first line of its help."""

    path: str
    summary: str


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and summary, which is enough for --help."""

    table: ClassVar[Mapping[str, LazyCommand]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {
            name: TyperCommand(name, help=entry.summary) for name, entry in self.table.items()
        }
        self._loaded: set[str] = set()

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Find the command that is called, and import it."""
        name, _, rest = super().resolve_command(ctx, args)
        command = name and self.load(name)
        if command and ctx.resilient_parsing:
            offer_all_options(command)
        return name, command, rest

    def load(self, name: str) -> Any:
        """Import a command, once."""
        if name not in self._loaded:
            self.commands[name] = build_command(name, self.table[name].path)
            self._loaded.add(name)
        return self.commands[name]

    def load_all(self) -> None:
        """Import all commands."""
        for name in self.table:
            self.load(name)


def offer_all_options(command: Any) -> None:
    """Have a shell complete the options that only --help-all shows, too."""
    for each in getattr(command, "commands", {}).values():
        offer_all_options(each)
    for parameter in command.params:
        parameter.hidden = False


def build_command(name: str, path: str) -> Any:
    """Import a function or a Typer application, and make it a command of that name."""
    module, _, attribute = path.partition(":")
    target: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return get_command(target)
    application = typer.Typer(add_completion=False)
    application.command(name)(target)
    return get_command(application)
