"""What is to be generated."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from healthpipe.errors import UsageError
from healthpipe.generate.records import FIRST_DAY, LAST_DAY


@dataclass(frozen=True)
class Plan:
    """Which records go into which files: `<outdir>/<snapshot>/facilities-<first index>.jsonl`.

    With `defects`, so many bad records come beside them, in files `defects-...`.
    """

    records: int
    chunk: int
    snapshot: datetime.date
    start_index: int
    seed: int
    outdir: Path
    defects: int = 0

    def __post_init__(self) -> None:
        try:
            for offset in (FIRST_DAY, LAST_DAY):
                self.snapshot + datetime.timedelta(days=offset)
        except OverflowError as error:
            raise UsageError(
                f"--snapshot {self.snapshot} leaves no room for dates around it",
                "give a year from 0002 to 9990",
            ) from error

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return self.outdir / self.snapshot.isoformat()

    @property
    def indexes(self) -> range:
        """The indexes of all clean records."""
        return range(self.start_index, self.start_index + self.records)

    def chunks(self) -> Iterator[tuple[Path, range]]:
        """Each file with the indexes of its records."""
        for start in range(0, self.records, self.chunk):
            indexes = self.indexes[start : start + self.chunk]
            yield self.folder / f"facilities-{indexes.start}.jsonl", indexes
