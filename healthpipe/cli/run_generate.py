"""Generating data for a command, and showing what was written."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

from healthpipe.cli.console import log
from healthpipe.cli.shared import Manner
from healthpipe.generate.files import Plan, generate_files
from healthpipe.stages.options import parse_day
from healthpipe.storage import require_local
from healthpipe.storage.layout import open_root


@dataclass(frozen=True)
class GenerateCommand:
    """What a user asks to be generated."""

    records: int
    chunk: int
    snapshot: str | None
    start_index: int
    seed: int
    outdir: Path | None
    root: str

    def run(self, manner: Manner) -> None:
        """Generate, print the folder, and say what it holds."""
        plan = self._plan()
        with manner.session() as progress:
            written = generate_files(plan, progress)
        files = sum(1 for _ in plan.chunks())
        day = plan.snapshot.isoformat()
        given = "" if self.snapshot else " (today in UTC; --snapshot sets it)"
        already = f", {files - written:,} of them there already" if written < files else ""
        log.info(f"snapshot {day}{given}: {self.records:,} records in {files:,} files{already}")
        if manner.json:
            document = {"schema_version": 1, "command": "generate-data", "status": "succeeded"}
            output = {"path": str(plan.folder), "rows": self.records, "files": files}
            print(json.dumps(document | {"snapshot": day, "output": output}))
        elif not manner.quiet:
            print(plan.folder)

    def _plan(self) -> Plan:
        require_local(str(self.outdir or ""))
        if self.snapshot is None:
            day = datetime.datetime.now(datetime.UTC).date()
        else:
            day = parse_day("--snapshot", self.snapshot)
        outdir = self.outdir or Path(open_root(self.root).raw)
        return Plan(self.records, self.chunk, day, self.start_index, self.seed, outdir)
