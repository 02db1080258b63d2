"""From SOURCEs to curated lines, over again when files change or the reader refuses them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from healthpipe.choices import EngineName
from healthpipe.engines.base import LinesRefused
from healthpipe.errors import InputChanged
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.manifest import FoundFiles, InputFile, Manifest
from healthpipe.ingest.readers import open_reader
from healthpipe.ingest.sources import find_files
from healthpipe.progress import NoProgress, Progress
from healthpipe.runs.run import Run

MANIFEST = "inputs.json"
MANIFESTS_PER_RUN = 3


@dataclass(frozen=True)
class InputReader:
    """Makes the manifest of a run, and makes sure that it is what was read."""

    run: Run
    sources: Sequence[str]
    engine: EngineName
    progress: Progress = field(default_factory=NoProgress)

    def take_in(self, found: FoundFiles | None = None, known: Iterable[InputFile] = ()) -> Manifest:
        """Land the files that need it, and keep the manifest; without `found`, list them now.

        Files that are `known` are not landed again. Raises `IngestPaused`.
        """
        found = found or find_files(self.sources, self.run.root)
        lander = self._lander
        self.progress.step(f"looking at {len(found.files)} files", lander.progress)
        return self._keep(lander.ingest(found, known))

    def read(self, manifest: Manifest, curate: Callable[[Manifest], None]) -> Manifest:
        """Curate the files as the manifest lists them; returns the manifest that held.

        Files that the engine's reader refuses are landed. Where files change meanwhile the
        manifest is made anew, twice at most. Raises `InputChanged`.
        """
        for _ in range(MANIFESTS_PER_RUN):
            try:
                curate(manifest)
            except LinesRefused as error:
                if not self._changed(manifest):
                    manifest = self._curate_landed(manifest, error.paths, curate)
            if not self._changed(manifest):
                return manifest
            manifest = self.take_in()
        raise InputChanged(
            "input files changed while they were read, three times over",
            "write new files under a name that begins with a dot, rename them, then run again",
        )

    def _curate_landed(
        self, manifest: Manifest, refused: Iterable[str], curate: Callable[[Manifest], None]
    ) -> Manifest:
        """Land the files that were refused and curate once more; returns the manifest.

        A reader names the first file that it cannot read: where there are others, all are landed.
        """
        manifest = self._keep(self._lander.land(manifest, refused))
        try:
            curate(manifest)
        except LinesRefused:
            in_place = [file.uri for file in manifest.files if file.landed is None]
            manifest = self._keep(self._lander.land(manifest, in_place))
            curate(manifest)
        return manifest

    def _changed(self, manifest: Manifest) -> bool:
        return bool(manifest.changed_files(self.run.root.access))

    def _keep(self, manifest: Manifest) -> Manifest:
        self.run.write_json(MANIFEST, manifest.to_json())
        return manifest

    @property
    def _lander(self) -> Lander:
        return Lander(self.run.landed, open_reader(self.engine, self.run.root.access))
