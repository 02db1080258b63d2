"""The commands that draw and check the definition of the workflow."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from healthpipe.choices import Drawing
from healthpipe.cli.console import OutputSettings
from healthpipe.cli.options import MessageOptions
from healthpipe.cli.render import print_document, print_lines
from healthpipe.cli.signature import expand_options, option
from healthpipe.errors import UsageError
from healthpipe.text import suggested_command

workflow = typer.Typer(
    name="workflow",
    no_args_is_help=True,
    add_completion=False,
    help="Show and check the definition of the workflow.",
    epilog="Try: healthpipe workflow show, or healthpipe workflow show --format mermaid.",
)

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A workflow in Amazon States Language.  (default: the one that orchestrate runs)",
        show_default=False,
    ),
]
DrawingOption = Annotated[
    Drawing, option("--format", env="DRAWING", help="Lines, or a Mermaid state diagram.")
]


@workflow.command("show")
@expand_options
def show(
    context: typer.Context,
    *,
    workflow: FileArgument = None,
    drawing: DrawingOption = Drawing.TEXT,
    messages: MessageOptions,
) -> None:
    """Draw the states of the workflow and the ways between them.

    For example: healthpipe workflow show --format mermaid
    """
    show_workflow(workflow, drawing, messages.apply())


@workflow.command("check")
@expand_options
def check(
    context: typer.Context, *, workflow: FileArgument = None, messages: MessageOptions
) -> None:
    """Check that a workflow can run, and that it retries, ends and fails as it should.

    For example: healthpipe workflow check my.asl.json
    """
    check_workflow(workflow, messages.apply())


def show_workflow(file: Path | None, drawing: Drawing, settings: OutputSettings) -> None:
    """Print the drawing of a workflow. Raises `UsageError` for one that cannot be loaded."""
    from healthpipe.asl.diagram import as_document, as_lines, as_mermaid
    from healthpipe.asl.errors import InvalidDefinition
    from healthpipe.workflow.orchestrate import pipeline_path

    formats = {Drawing.TEXT: as_lines, Drawing.MERMAID: as_mermaid}
    settings.start_logging()
    path = file or pipeline_path()
    try:
        machine = _load(path)
    except InvalidDefinition as error:
        check = suggested_command("workflow", "check", str(path.absolute()))
        raise UsageError(str(error), f"run `{check}`") from None
    if settings.json:
        print_document("workflow show", {"file": str(path), **as_document(machine)})
    else:
        print("\n".join(formats[drawing](machine)))


def check_workflow(file: Path | None, settings: OutputSettings) -> None:
    """Print a line for each violation, or that there is none; violations end in exit code 2."""
    from healthpipe.asl.errors import InvalidDefinition
    from healthpipe.workflow.orchestrate import pipeline_path
    from healthpipe.workflow.policy import PolicyViolation, policy_violations

    settings.start_logging()
    path = file or pipeline_path()
    try:
        violations = policy_violations(_load(path))
    except InvalidDefinition as error:
        violations = [PolicyViolation(None, str(error))]
    if settings.json:
        status = "failed" if violations else "succeeded"
        document = {"file": str(path), "findings": [asdict(each) for each in violations]}
        print_document("workflow check", document, status)
    elif violations:
        print_lines(map(str, violations))
    elif not settings.quiet:
        print(f"ok: {path}")
    if violations:
        raise typer.Exit(2)


def _load(path: Path) -> dict[str, Any]:
    from healthpipe.asl.definition import load

    try:
        return load(path)
    except OSError as error:
        message = f"the workflow {path} cannot be read: {error.strerror}"
        raise UsageError(message, "name a file in Amazon States Language") from None
