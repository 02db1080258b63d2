"""Running a stage for a command, and showing what it came to."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from healthpipe.aws.session import AthenaSettings, AwsAccess
from healthpipe.choices import EngineName, Format
from healthpipe.cli.aws_options import athena_of, root_of
from healthpipe.cli.output import names_in
from healthpipe.cli.render import print_data, show_preview, show_stage_summary
from healthpipe.cli.shared import OutputSettings, OutputTarget
from healthpipe.cli.stage_options import stage_options
from healthpipe.engines import require_reachable_root
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.stages.catalog import Stage
from healthpipe.stages.options import StageOptions
from healthpipe.storage.layout import Root
from healthpipe.workflow.stage_run import StageRequest, StageResult, run_stage


@dataclass(frozen=True)
class StageCommand:
    """A stage with what a command was given."""

    stage: Stage
    root: Root
    engine: EngineName
    athena: AthenaSettings
    options: StageOptions
    place: OutputTarget

    @classmethod
    def of(cls, stage: Stage, context: typer.Context, given: Mapping[str, Any]) -> "StageCommand":
        """A stage with what its command was given. Raises `UsageError`."""
        return cls(
            stage,
            root_of(given),
            given["engine"],
            athena_of(given),
            stage_options(context, given),
            OutputTarget(given["output"], given["format"], stage.is_folder),
        )

    def run(self, sources: Sequence[str], manner: OutputSettings) -> None:
        """Run it and render its result."""
        request = self.request(sources)
        if self.place.is_standard_output:
            if manner.json:
                raise UsageError("-o - and --json both want standard output", "drop one of them")
            with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
                path = Path(folder, "result")
                printed = replace(request, output=str(path), is_printed=True)
                result = self._run(printed, manner)
                self._show(result, manner)
                print_data(path, result.files[0].format)
        else:
            self._show(self._run(request, manner), manner)

    def request(self, sources: Sequence[str]) -> StageRequest:
        """What is to be run. Everything that can be refused is refused here."""
        require_reachable_root(self.engine, self.root.uri)
        root, fmt = self.root, self.place.chosen_format()
        self.place.require_writable(sources or [root.raw], root.access)
        request = StageRequest(
            self.stage, root, sources, self.options, fmt, self.place.path, self.engine, self.athena
        )
        if self.place.path and self.stage.is_folder:
            _require_own(self.place.path, self.stage, root.access)
        return request

    def _run(self, request: StageRequest, manner: OutputSettings) -> StageResult:
        with manner.session() as progress:
            return run_stage(replace(request, progress=progress, with_preview=manner.on_terminal))

    def _show(self, result: StageResult, manner: OutputSettings) -> None:
        show_stage_summary(result)
        if manner.json:
            print(json.dumps(result.document))
        elif not manner.quiet and not self.place.is_standard_output:
            print(result.path)
        if preview := result.computed.preview:
            show_preview(preview)


def _require_own(folder: str, stage: Stage, access: AwsAccess) -> None:
    """Refuse to replace a folder that holds anything but an earlier result of the stage."""
    own = {view.file_name(fmt) for view in stage.views for fmt in Format}
    foreign = [name for name in names_in(folder, access) if name not in own]
    if foreign:
        raise OutputRefused(
            f"-o {folder} holds other files, {foreign[0]} for one", "name a new folder"
        )
