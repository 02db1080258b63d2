"""Files whose content is known from before, so that they need not be opened."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from healthpipe.ingest.manifest import FoundFile, InputFile, folder_date
from healthpipe.storage import absolute_uri

# By absolute URI and version; of an archive its members.
KnownFiles = Mapping[tuple[str, str], list[InputFile]]


def by_identity(files: Iterable[InputFile]) -> KnownFiles:
    """Files by absolute URI and version, without those that could not be read."""
    known: dict[tuple[str, str], list[InputFile]] = {}
    for file in files:
        known.setdefault((absolute_uri(file.uri), file.version), []).append(file)
    return {
        key: group for key, group in known.items() if not any(file.is_unreadable for file in group)
    }


def as_found(file: InputFile, found: FoundFile) -> InputFile:
    """A file, or a member of one, that is known, under the name and in the folder it has now."""
    date = found.folder_date.isoformat() if found.folder_date else None
    if file.member is None:
        return replace(file, uri=found.uri, source=found.source, folder_date=date)
    skipped = (
        replace(each, uri=f"{found.uri}!{name}", source=f"{found.source}!{name}")
        for each in file.skipped_members
        if (name := each.source.removeprefix(f"{file.stored_source}!"))
    )
    return replace(
        file,
        uri=found.uri,
        source=f"{found.source}!{file.member}",
        folder_date=date_in_archive(file.member, date),
        archive_date=date,
        skipped_members=tuple(skipped),
    )


def unopened(file: InputFile) -> InputFile:
    """A file as it is before it is looked into; of a member of an archive the archive."""
    date = file.archive_date if file.member else file.folder_date
    return InputFile(file.uri, file.stored_source, file.size, file.version, "none", date)


def date_in_archive(member: str, date: str | None) -> str | None:
    """The date of the folder of a member, in the archive or else the one that it lies in."""
    own = folder_date(PurePosixPath(member).parts[-2::-1])
    return own.isoformat() if own else date
