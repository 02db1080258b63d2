"""Where files that are rewritten, or can be read once only, are kept."""

from dataclasses import dataclass
from pathlib import Path

from healthpipe.ingest.landing import large_lines
from healthpipe.storage.base import Storage, StoredFile


@dataclass(frozen=True)
class LandingPlace:
    """Files are written in `folder`, of this machine, and end up in the folder `uri`."""

    folder: Path
    uri: str
    storage: Storage

    @classmethod
    def here(cls, folder: Path) -> "LandingPlace":
        """A folder of this machine in which they stay."""
        from healthpipe.storage.local import LocalStorage

        return cls(folder, str(folder), LocalStorage())

    def stat(self, name: str) -> StoredFile | None:
        """What is kept under a name."""
        return self.storage.stat(f"{self.uri}/{name}")

    def keep(self, local: Path) -> str:
        """Put a file of `folder`, with what lies beside it for its large lines, where it ends up.

        Returns its URI.
        """
        if Path(self.uri) == self.folder:
            return str(local)
        for path in (*large_lines(local), local):
            self.storage.deliver(path, f"{self.uri}/{path.name}")
        return f"{self.uri}/{local.name}"
