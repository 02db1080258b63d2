"""Print a dry run: an SQL script, with what it would read and write as comments."""

from collections.abc import Iterator

from healthpipe.cli.console import OutputSettings
from healthpipe.cli.render import print_document
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.text import escape_control_chars
from healthpipe.workflow.dry_run import Plan, plan_stage, plan_workflow
from healthpipe.workflow.stage_run import StageRequest


def show_statements(request: StageRequest, settings: OutputSettings) -> None:
    """Print the statements of a stage."""
    settings.start_logging()
    plan = plan_stage(request)
    if settings.json:
        print_document(f"sql {request.stage.name}", {"statements": plan.statements})
    else:
        _print_script(plan.statements)


def show_stage_plan(request: StageRequest, settings: OutputSettings) -> None:
    """Print what a stage would read, query and write."""
    settings.start_logging()
    _show(request.stage.name, plan_stage(request), settings)


def show_workflow_plan(request: RunRequest, execution: Execution, settings: OutputSettings) -> None:
    """Print what a run of the workflow would read, query and write."""
    settings.start_logging()
    _show("orchestrate", plan_workflow(request, execution.start.date()), settings)


def _show(command: str, plan: Plan, settings: OutputSettings) -> None:
    if settings.json:
        print_document(command, plan.to_json(), "planned")
        return
    for line in _comments(plan):
        print(f"-- {line}")
    _print_script(plan.statements)


def _comments(plan: Plan) -> Iterator[str]:
    yield from (f"reads {escape_control_chars(file.uri)}" for file in plan.inputs.files)
    yield from (f"skips {escape_control_chars(name)}" for name in plan.inputs.skipped)
    yield from (f"makes table {table}" for table in plan.tables)
    yield from (f"writes {escape_control_chars(uri)}" for uri in plan.destinations)


def _print_script(statements: list[str]) -> None:
    for statement in statements:
        print(f"{statement.strip()};\n")
