"""Running a stage for a command, and showing what it came to."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from healthpipe.cli.shared import Manner, Place
from healthpipe.cli.views import print_data, show_preview, show_stage_summary
from healthpipe.engines import require_supported
from healthpipe.errors import UsageError
from healthpipe.stages.catalog import STAGES
from healthpipe.stages.options import StageOptions
from healthpipe.storage import require_local
from healthpipe.storage.layout import open_root
from healthpipe.words import EngineName, StageName
from healthpipe.workflow.one_pass import Request, StageResult, run_stage


@dataclass(frozen=True)
class StageCommand:
    """A stage as a command names it."""

    name: StageName
    root: str
    engine: EngineName
    options: StageOptions
    place: Place

    def run(self, sources: Sequence[str], manner: Manner) -> None:
        """Run it and render its result."""
        request = self._request(sources)
        if self.place.is_standard_output:
            if manner.json:
                raise UsageError("-o - and --json both want standard output", "drop one of them")
            with tempfile.TemporaryDirectory(prefix="healthpipe-") as folder:
                path = Path(folder, request.stage.file_name(request.format))
                self._show(
                    self._run(replace(request, output=str(path), is_printed=True), manner), manner
                )
                print_data(path)
        else:
            self._show(self._run(request, manner), manner)

    def _request(self, sources: Sequence[str]) -> Request:
        """What is to be run. Everything that can be refused is refused here."""
        require_supported(self.engine)
        require_local(self.place.path or "")
        root = open_root(self.root)
        stage = STAGES[self.name]
        fmt = self.place.format_for(stage.default_format)
        self.place.require_writable(sources or [root.raw])
        return Request(stage, root, sources, self.options, fmt, self.place.path, self.engine)

    def _run(self, request: Request, manner: Manner) -> StageResult:
        with manner.session() as progress:
            return run_stage(replace(request, progress=progress, with_preview=manner.on_terminal))

    def _show(self, result: StageResult, manner: Manner) -> None:
        show_stage_summary(result)
        if manner.json:
            print(json.dumps(result.to_json()))
        elif not manner.quiet and not self.place.is_standard_output:
            print(result.path)
        if result.preview:
            show_preview(result.preview)
