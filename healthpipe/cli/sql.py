"""The commands that print the SQL of the stages."""

from collections.abc import Callable
from typing import Any

import typer

from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import ATHENA, AWS, MANNER, RECORDS, RESULT, ROOT, declare
from healthpipe.stages.catalog import STAGES, Stage

sql = typer.Typer(
    no_args_is_help=True, help="Print the statements of a stage, exactly as they would run."
)


def sql_command(stage: Stage) -> Callable[..., None]:
    """The command that prints the statements of a stage; it takes that stage's options."""

    def command(context: typer.Context, **given: Any) -> None:
        from healthpipe.cli.dry_run import show_statements
        from healthpipe.cli.run_stage import StageCommand

        manner = OutputSettings.of(given)
        show_statements(StageCommand.of(stage, context, given).request(given["sources"]), manner)

    command.__doc__ = f"Print the statements of {stage.name}."
    declare(command, (*ROOT, *RECORDS, *stage.options, *RESULT, *AWS, *ATHENA, *MANNER))
    return command


for each in STAGES.values():
    sql.command(each.name)(sql_command(each))
