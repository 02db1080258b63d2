"""What SOURCE means: the files behind a file, folder, glob, s3:// URI or standard input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from healthpipe.errors import SourceNotFound
from healthpipe.ingest import sources_local, sources_s3
from healthpipe.ingest.found import STANDARD_INPUT, SUFFIXES, Found, FoundFile
from healthpipe.storage.layout import Root
from healthpipe.storage.uris import is_s3


def find_files(sources: Sequence[str], root: Root) -> Found:
    """The input files of a run; without any SOURCE those of `<root>/raw`.

    Raises `SourceNotFound` when a SOURCE is not there or all hold no file that is read.
    """
    skipped: list[str] = []
    files: dict[str, FoundFile] = {}
    for source in sources or [root.raw]:
        for file in _files_of(source, root, skipped, is_default=not sources):
            files.setdefault(_identity(file.uri), file)
    if not files:
        raise SourceNotFound(
            f"{', '.join(sources) or root.raw} holds no file to read",
            f"files in a folder are read when their name ends in {', '.join(SUFFIXES[::2])} or .gz",
        )
    named = _with_unique_names(files.values())
    in_order = sorted(named, key=lambda file: (file.source, file.uri))
    read = {_identity(file.uri) for file in in_order}
    passed_over = (name for name in dict.fromkeys(skipped) if _identity(name) not in read)
    return Found(tuple(in_order), tuple(passed_over))


def _files_of(
    source: str, root: Root, skipped: list[str], *, is_default: bool
) -> Iterator[FoundFile]:
    if source == STANDARD_INPUT:
        yield FoundFile(STANDARD_INPUT, STANDARD_INPUT, None)
        return
    where = sources_s3 if is_s3(source) else sources_local
    found = where.files_of(source, root, skipped)
    if found is not None:
        yield from found
    elif is_default:
        raise SourceNotFound(
            f"{source} is not there", "name a SOURCE, or try `healthpipe generate-data` first"
        )
    else:
        raise SourceNotFound(f"{source} is not there", "check the SOURCE's spelling")


def _identity(uri: str) -> str:
    """What two ways to one file have in common."""
    return uri if is_s3(uri) else sources_local.absolute(uri)


def _with_unique_names(files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """Files of two SOURCEs that would have the same name get their absolute path as name."""
    by_name: dict[str, list[FoundFile]] = {}
    for file in files:
        by_name.setdefault(file.source, []).append(file)
    for group in by_name.values():
        if len(group) == 1:
            yield from group
        else:
            yield from (
                replace(file, source=sources_local.shown(_identity(file.uri))) for file in group
            )
