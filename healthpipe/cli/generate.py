"""The command that generates synthetic data."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healthpipe.cli.console import OutputSettings, log
from healthpipe.cli.options import MessageOptions, RootOptions
from healthpipe.cli.render import print_document
from healthpipe.cli.signature import expand_options
from healthpipe.errors import OutputRefused, UsageError
from healthpipe.storage import is_s3

if TYPE_CHECKING:
    from healthpipe.generate.files import Generated
    from healthpipe.generate.records import Plan

MAX_RECORDS = 1_000_000_000


@dataclass(frozen=True)
class SyntheticOptions:
    """Which clean records are generated."""

    n: Annotated[int, typer.Option("--n", min=1, max=MAX_RECORDS, help="Number of records.")] = 1000
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Records in a file.")] = 100
    snapshot: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The snapshot's day.  (default: today in UTC)"),
    ] = None
    start_index: Annotated[int, typer.Option(min=0, help="Index of the first record.")] = 1
    seed: Annotated[int, typer.Option(help="Another seed gives other records.")] = 42


OutdirOption = Annotated[
    Path | None, typer.Option(help="Folder of the files.  (default: <root>/raw)")
]
DefectsOption = Annotated[
    int,
    typer.Option(min=0, max=MAX_RECORDS, help="Number of bad records, of every kind in turn."),
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(
        help="Where to write what the commands have to find; with --defects.  "
        "(default: <outdir>-answers.json)"
    ),
]


@expand_options
def generate_data(
    context: typer.Context,
    *,
    records: SyntheticOptions,
    outdir: OutdirOption = None,
    defects: DefectsOption = 0,
    answers: AnswersOption = None,
    root: RootOptions,
    messages: MessageOptions,
) -> None:
    """Write synthetic records; the same options give the same bytes.

    For example: healthpipe generate-data --n 1000 --snapshot 2025-08-10
    """
    settings = messages.apply()
    GenerateCommand(records, defects, answers, outdir, root.root).run(settings)


@dataclass(frozen=True)
class GenerateCommand:
    """What is to be generated, and where."""

    records: SyntheticOptions
    defects: int
    answers: Path | None
    outdir: Path | None
    root: str

    def run(self, settings: OutputSettings) -> None:
        """Generate the files, print their folder, and log what it holds."""
        from healthpipe.generate.files import generate_files

        plan = self._plan()
        answers = self._answers_path(plan)
        with settings.session() as progress:
            generated = generate_files(plan, answers, progress)
        self._log(plan, answers, generated)
        if settings.json:
            output = {"path": str(plan.folder), "rows": plan.records, "files": generated.files}
            snapshot = {"snapshot": plan.snapshot.isoformat()}
            key = {"defects": plan.defects, "answers": str(answers)} if answers else {}
            print_document("generate-data", snapshot | {"output": output} | key)
        elif not settings.quiet:
            print(plan.folder)

    def _log(self, plan: "Plan", answers: Path | None, generated: "Generated") -> None:
        today = "" if self.records.snapshot else " (today in UTC; --snapshot sets it)"
        planted = f" and {plan.defects:,} defects" if answers else ""
        present = generated.files - generated.written
        already = f", {present:,} of them there already" if present else ""
        key = f"; answers in {answers}" if answers else ""
        log.info(
            f"snapshot {plan.snapshot}{today}: {plan.records:,} records{planted}"
            f" in {generated.files:,} files{already}{key}"
        )

    def _plan(self) -> "Plan":
        from healthpipe.generate.records import Plan
        from healthpipe.stages.options import parse_day
        from healthpipe.storage.layout import open_root

        _require_local(self.outdir or self.root, "give --outdir a folder of this machine")
        records = self.records
        if records.snapshot is None:
            day = datetime.datetime.now(datetime.UTC).date()
        else:
            day = parse_day("--snapshot", records.snapshot)
        outdir = self.outdir or Path(open_root(self.root).raw)
        return Plan(
            records.n, records.chunk, day, records.start_index, records.seed, outdir,
            self.defects,
        )  # fmt: skip

    def _answers_path(self, plan: "Plan") -> Path | None:
        """Where the answer key goes: beside the records, where no run reads it as input."""
        if self.answers is None:
            outdir = plan.outdir if plan.outdir.name.strip(".") else plan.outdir.resolve()
            return outdir.with_name(f"{outdir.name}-answers.json") if self.defects else None
        if not self.defects:
            raise UsageError("--answers goes with --defects", "add --defects or drop --answers")
        _require_local(self.answers, "give --answers a file of this machine")
        path = self.answers.resolve()
        if path.is_relative_to(plan.outdir.resolve()):
            raise OutputRefused(
                f"--answers {self.answers} lies in --outdir {plan.outdir}",
                "a run would read it as input; choose a place outside",
            )
        if path.is_dir():
            raise OutputRefused(f"--answers {self.answers} is a folder", "name a file in it")
        if not path.parent.is_dir():
            raise OutputRefused(
                f"the folder of --answers {self.answers} is not there", f"mkdir -p {path.parent}"
            )
        return self.answers


def _require_local(path: Path | str, hint: str) -> None:
    """Refuse a URI on S3, which a path of this machine holds with one slash less."""
    if is_s3(str(path)) or str(path).startswith("s3:/"):
        raise UsageError("generate-data writes to this machine only", hint)
