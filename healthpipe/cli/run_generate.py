"""Generating data for a command, and showing what was written."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from healthpipe.cli.console import log
from healthpipe.cli.render import print_document
from healthpipe.cli.shared import OutputSettings
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.generate.files import Generated, generate_files
from healthpipe.generate.records import Plan
from healthpipe.stages.options import parse_day
from healthpipe.storage.layout import open_root
from healthpipe.storage.uris import is_s3


@dataclass(frozen=True)
class RecordOptions:
    """Which clean records a user asks for."""

    count: int
    chunk: int
    snapshot: str | None
    start_index: int
    seed: int


@dataclass(frozen=True)
class GenerateCommand:
    """What a user asks to be generated."""

    records: RecordOptions
    defects: int
    answers: Path | None
    outdir: Path | None
    root: str

    def run(self, manner: OutputSettings) -> None:
        """Generate, print the folder, and say what it holds."""
        plan = self._plan()
        answers = self._answers(plan)
        with manner.session() as progress:
            generated = generate_files(plan, answers, progress)
        self._tell(plan, answers, generated)
        if manner.json:
            output = {"path": str(plan.folder), "rows": plan.records, "files": generated.files}
            snapshot = {"snapshot": plan.snapshot.isoformat()}
            key = {"defects": plan.defects, "answers": str(answers)} if answers else {}
            print_document("generate-data", snapshot | {"output": output} | key)
        elif not manner.quiet:
            print(plan.folder)

    def _tell(self, plan: Plan, answers: Path | None, generated: Generated) -> None:
        given = "" if self.records.snapshot else " (today in UTC; --snapshot sets it)"
        planted = f" and {plan.defects:,} defects" if answers else ""
        present = generated.files - generated.written
        already = f", {present:,} of them there already" if present else ""
        key = f"; answers in {answers}" if answers else ""
        log.info(
            f"snapshot {plan.snapshot}{given}: {plan.records:,} records{planted}"
            f" in {generated.files:,} files{already}{key}"
        )

    def _plan(self) -> Plan:
        _require_here(self.outdir or self.root, "give --outdir a folder of this machine")
        records = self.records
        if records.snapshot is None:
            day = datetime.datetime.now(datetime.UTC).date()
        else:
            day = parse_day("--snapshot", records.snapshot)
        outdir = self.outdir or Path(open_root(self.root).raw)
        return Plan(
            records.count, records.chunk, day, records.start_index, records.seed, outdir,
            self.defects,
        )  # fmt: skip

    def _answers(self, plan: Plan) -> Path | None:
        """Where the answer key goes: beside the records, where no run reads it as input."""
        if self.answers is None:
            outdir = plan.outdir if plan.outdir.name.strip(".") else plan.outdir.resolve()
            return outdir.with_name(f"{outdir.name}-answers.json") if self.defects else None
        if not self.defects:
            raise UsageError("--answers goes with --defects", "add --defects or drop --answers")
        _require_here(self.answers, "give --answers a file of this machine")
        place = self.answers.resolve()
        if place.is_relative_to(plan.outdir.resolve()):
            raise OutputRefused(
                f"--answers {self.answers} lies in --outdir {plan.outdir}",
                "a run would read it as input; choose a place outside",
            )
        if place.is_dir():
            raise OutputRefused(f"--answers {self.answers} is a folder", "name a file in it")
        if not place.parent.is_dir():
            raise OutputRefused(
                f"the folder of --answers {self.answers} is not there", f"mkdir -p {place.parent}"
            )
        return self.answers


def _require_here(place: Path | str, hint: str) -> None:
    """Refuse a place on S3, which a path of this machine holds with one slash less."""
    if is_s3(str(place)) or str(place).startswith("s3:/"):
        raise UsageError("generate-data writes to this machine only", hint)
