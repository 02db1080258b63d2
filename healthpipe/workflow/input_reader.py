"""Make a run's input manifest, and read its files again where they change or are refused."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from healthpipe.aws.session import AwsAccess
from healthpipe.choices import EngineName
from healthpipe.engines.base import LinesRefused
from healthpipe.errors import InputChanged, ObjectMissing
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.manifest import FoundFiles, InputFile, Manifest
from healthpipe.ingest.packing import DEFAULT_LIMITS, NO_LIMITS, FileRefused, Limits
from healthpipe.ingest.readers import LocalReader, open_reader
from healthpipe.ingest.sources import find_files
from healthpipe.progress import NoProgress, Progress
from healthpipe.runs.attempts import Attempt, begun_steps
from healthpipe.runs.run import Run
from healthpipe.stages.curate import PackedLines
from healthpipe.stages.segments import file_key

MANIFEST = "inputs.json"
MANIFESTS_PER_RUN = 3


def forget_unreadable(run: Run) -> None:
    """Have a run that is resumed read its input anew if some of it could not be read.

    What is published stays as it is.
    """
    steps = [attempt for name in begun_steps(run) if (attempt := Attempt.last(run, name))]
    done = {attempt.step for attempt in steps if attempt.is_done}
    if "Ingest" not in done or "Publish" in done or not run.find_json(MANIFEST):
        return
    manifest = Manifest.from_json(run.read_json(MANIFEST))
    if any(file.is_unreadable for file in manifest.files):
        for attempt in steps:
            if attempt.is_done:
                attempt.take_back()


@dataclass(frozen=True)
class InputReader:
    """Makes the manifest of a run, and ensures that what was read is what it lists."""

    run: Run
    sources: Sequence[str]
    engine: EngineName
    progress: Progress = field(default_factory=NoProgress)
    limits: Limits = DEFAULT_LIMITS
    reusable: Callable[[], Iterable[InputFile]] = tuple

    def make_manifest(self, found: FoundFiles, known: Iterable[InputFile] = ()) -> Manifest:
        """Land the files that the engine cannot read as they are, and write the manifest.

        Files that are `known` from an earlier call, or `reusable` because curated segments have
        their lines, are not opened. Raises `IngestPaused`.
        """
        lander, known = self._lander(), list(known)
        keys = {file_key(file) for file in known}
        known += (file for file in self.reusable() if file_key(file) not in keys)
        self.progress.step(f"looking at {len(found.files)} files", lander.progress)
        return self._keep(lander.ingest(found, known))

    def read(
        self,
        manifest: Manifest,
        judge: Callable[[Manifest], None],
        account: Callable[[Manifest], None],
    ) -> Manifest:
        """Have the files of a manifest judged and then accounted for; returns the manifest of what
        was read in the end.

        Files that the engine refuses are landed, and so are those in which lines are found that
        hold several records. Where files change meanwhile, they are listed and judged anew, twice
        at most. Raises `InputChanged`.
        """
        for _ in range(MANIFESTS_PER_RUN):
            manifest = self._judge(manifest, judge)
            if not self._has_changed(manifest):
                try:
                    account(manifest)
                except PackedLines as packed:
                    found = (each for each in manifest.files if each.source in packed.sources)
                    landed = self._land(manifest, (file.uri for file in found))
                    return self.read(landed, judge, account)
                return manifest
            manifest = self.make_manifest(find_files(self.sources, self.run.root))
        raise InputChanged(
            "input files changed while they were read, three times over",
            "write new files under a name that begins with a dot, rename them, then run again",
        )

    def _judge(self, manifest: Manifest, judge: Callable[[Manifest], None]) -> Manifest:
        """Have files judged, and once more with those landed that the engine refuses, unless they
        have changed; returns the new manifest.

        An engine names the first file that it cannot read: where there are others, all are landed.
        """
        try:
            judge(manifest)
        except LinesRefused as refused:
            if self._has_changed(manifest):
                return manifest
            manifest = self._land(manifest, refused.paths)
        else:
            return manifest
        try:
            judge(manifest)
        except LinesRefused:
            manifest = self._land(manifest, manifest.uris)
            judge(manifest)
        return manifest

    def _land(self, manifest: Manifest, uris: Iterable[str]) -> Manifest:
        """Land those of the files that are read in place; returns the manifest, which is kept."""
        return self._keep(self._lander().land(manifest, uris))

    def _has_changed(self, manifest: Manifest) -> bool:
        return bool(manifest.changed_files(self.run.root.access))

    def _keep(self, manifest: Manifest) -> Manifest:
        self.run.write_json(MANIFEST, manifest.to_json())
        return manifest

    def _lander(self) -> Lander:
        reader = open_reader(self.engine, self.run.root.access, self.limits)
        return Lander(self.run.landed, reader)


# How many files are described where no file holds a record that was accepted.
DESCRIBED_FILES = 3


def where_records_lie(
    manifest: Manifest, sources: Iterable[str], access: AwsAccess
) -> Iterator[str]:
    """Say of files, by their sources, where in their JSON records seem to lie, if not on top.

    Only keys are named, never values. Of the first files alone.
    """
    from healthpipe.ingest.detection import place_of_records

    reader = LocalReader(access, NO_LIMITS)
    wanted = frozenset(sources)
    found = (file for file in manifest.files if file.source in wanted and file.refusal is None)
    for file in itertools.islice(found, DESCRIBED_FILES):
        with suppress(OSError, FileRefused, ObjectMissing):
            if place := place_of_records(reader.content_of(file)):
                yield f"{file.source}: {place}"
