"""What SOURCE means: the files behind a file, folder, glob or standard input."""

import datetime
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from healthpipe.errors import SourceNotFound
from healthpipe.storage import require_local
from healthpipe.storage.layout import OWN_FOLDERS, Root

STANDARD_INPUT = "-"
SUFFIXES = tuple(
    suffix + packed for suffix in (".json", ".jsonl", ".ndjson", ".txt") for packed in ("", ".gz")
)
_DATED_FOLDER = re.compile(r"(?:snapshot_date=)?(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class FoundFile:
    """An input file: where it lies, its name relative to its SOURCE, its folder's date if any."""

    uri: str
    source: str
    folder_date: datetime.date | None

    @property
    def is_stream(self) -> bool:
        """Whether it can be read once only: standard input, a pipe."""
        return self.uri == STANDARD_INPUT or not Path(self.uri).is_file()


@dataclass(frozen=True)
class Found:
    """The files of all SOURCEs by name, and those that a folder holds beside them."""

    files: tuple[FoundFile, ...]
    skipped: tuple[str, ...]


def find_files(sources: Sequence[str], root: Root) -> Found:
    """The input files of a run; without any SOURCE those of `<root>/raw`.

    Raises `SourceNotFound` when a SOURCE is not there or all hold no file that is read.
    """
    skipped: list[str] = []
    files: dict[str, FoundFile] = {}
    for source in sources or [root.raw]:
        for file in _files_of(source, root, skipped, is_default=not sources):
            files.setdefault(os.path.abspath(file.uri), file)  # noqa: PTH100 - a/../b is b
    if not files:
        raise SourceNotFound(
            f"{', '.join(sources) or root.raw} holds no file to read",
            f"files in a folder are read when their name ends in {', '.join(SUFFIXES[::2])} or .gz",
        )
    named = _with_unique_names(files.values())
    in_order = sorted(named, key=lambda file: (file.source, file.uri))
    read = {os.path.abspath(file.uri) for file in in_order}  # noqa: PTH100
    passed_over = (name for name in dict.fromkeys(skipped) if os.path.abspath(name) not in read)  # noqa: PTH100
    return Found(tuple(in_order), tuple(passed_over))


def _files_of(
    source: str, root: Root, skipped: list[str], *, is_default: bool
) -> Iterator[FoundFile]:
    require_local(source)
    if source == STANDARD_INPUT:
        yield FoundFile(STANDARD_INPUT, STANDARD_INPUT, None)
    elif Path(source).is_dir():
        yield from _files_below(source, root, skipped)
    elif Path(source).exists():
        yield _found(source, Path(source).name)
    elif glob.has_magic(source) and (matches := sorted(glob.glob(source, recursive=True))):  # noqa: PTH207 - a whole path
        yield from _matching_files(source, matches, root, skipped)
    elif is_default:
        raise SourceNotFound(
            f"{source} is not there", "name a SOURCE, or try `healthpipe generate-data` first"
        )
    else:
        raise SourceNotFound(f"{source} is not there", "check the SOURCE's spelling")


def _files_below(folder: str, root: Root, skipped: list[str]) -> Iterator[FoundFile]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if _is_visible(name) and not _is_own(Path(parent, name), root)
        )
        for name in sorted(filter(_is_visible, names)):
            path = Path(parent, name)
            if path.name.lower().endswith(SUFFIXES):
                yield _found(str(path), path.relative_to(folder).as_posix())
            else:
                skipped.append(str(path))


def _matching_files(
    pattern: str, matches: Sequence[str], root: Root, skipped: list[str]
) -> Iterator[FoundFile]:
    fixed = pattern[: glob.escape(pattern).find("[")].rpartition("/")[0]
    for match in matches:
        if _is_own(Path(match), root):
            continue
        if Path(match).is_dir():
            for file in _files_below(match, root, skipped):
                yield replace(file, source=os.path.relpath(file.uri, fixed or "."))
        else:
            yield _found(match, os.path.relpath(match, fixed or "."))


def _is_own(path: Path, root: Root) -> bool:
    """Whether a path is one of the root's own folders or in one: never input."""
    parts = Path(os.path.relpath(path.resolve(), Path(root.uri).resolve())).parts
    return bool(parts) and parts[0] in OWN_FOLDERS


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "_"))


def _found(uri: str, source: str) -> FoundFile:
    return FoundFile(uri, _name(source), _folder_date(Path(uri)))


def _name(path: str) -> str:
    """A path as results show it, which is UTF-8 whatever the file system has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _folder_date(path: Path) -> datetime.date | None:
    """The date of the nearest folder above a file that is named by one."""
    for folder in path.absolute().parents:
        if match := _DATED_FOLDER.fullmatch(folder.name):
            try:
                return datetime.date.fromisoformat(match[1])
            except ValueError:
                continue
    return None


def _with_unique_names(files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """Files of two SOURCEs that would have the same name get their absolute path as name."""
    by_name: dict[str, list[FoundFile]] = {}
    for file in files:
        by_name.setdefault(file.source, []).append(file)
    for group in by_name.values():
        if len(group) == 1:
            yield from group
        else:
            yield from (replace(f, source=_name(os.path.abspath(f.uri))) for f in group)  # noqa: PTH100
