"""The definition of the workflow, drawn and checked."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from healthpipe.asl.definition import load
from healthpipe.asl.diagram import as_document, as_lines, as_mermaid
from healthpipe.asl.errors import InvalidDefinition
from healthpipe.choices import Drawing
from healthpipe.cli.render import print_document
from healthpipe.cli.shared import OutputSettings
from healthpipe.errors import UsageError
from healthpipe.workflow.orchestrate import pipeline_path
from healthpipe.workflow.policy import PolicyViolation, policy_violations

DRAWINGS = {Drawing.TEXT: as_lines, Drawing.MERMAID: as_mermaid}


def show_workflow(file: Path | None, drawing: Drawing, manner: OutputSettings) -> None:
    """Print the drawing of a workflow. Raises `UsageError` for one that cannot be loaded."""
    manner.start_logging()
    path = file or pipeline_path()
    try:
        machine = _loaded(path)
    except InvalidDefinition as error:
        raise UsageError(str(error), f"run `healthpipe workflow check {path}`") from None
    if manner.json:
        print_document("workflow show", {"file": str(path), **as_document(machine)})
    else:
        print("\n".join(DRAWINGS[drawing](machine)))


def check_workflow(file: Path | None, manner: OutputSettings) -> None:
    """Print a line for each finding, or that there is none; findings end in exit code 2."""
    manner.start_logging()
    path = file or pipeline_path()
    try:
        found = policy_violations(_loaded(path))
    except InvalidDefinition as error:
        found = [PolicyViolation(None, str(error))]
    if manner.json:
        status = "failed" if found else "succeeded"
        told = {"file": str(path), "findings": [asdict(each) for each in found]}
        print_document("workflow check", told, status)
    elif found:
        print("\n".join(map(str, found)))
    elif not manner.quiet:
        print(f"ok: {path}")
    if found:
        raise typer.Exit(2)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return load(path)
    except OSError as error:
        message = f"the workflow {path} cannot be read: {error.strerror}"
        raise UsageError(message, "name a file in Amazon States Language") from None
