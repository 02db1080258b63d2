"""Files on disk, found and ingested as SOURCEs without a command."""

import base64
import gzip
from pathlib import Path

from healthpipe.aws.session import AwsAccess
from healthpipe.ingest.content import Content
from healthpipe.ingest.lander import Lander
from healthpipe.ingest.landing import LandingFolder, land, land_rejected
from healthpipe.ingest.packing import FileRefused
from healthpipe.ingest.readers import LocalReader
from healthpipe.ingest.sources import find_files
from healthpipe.storage.layout import Root

BOM, RECORD, LARGEST = b"\xef\xbb\xbf", b'{"facility_id": "F1"}', 8_000_000


def landed(content, folder):
    """Land a file with this content; returns the bytes of the landed file."""
    (folder / "in").write_bytes(content)
    try:
        land(Content.of(folder / "in"), folder / "landed" / "000007.ndjson")
    except FileRefused as refused:
        land_rejected(folder / "landed" / "000007.ndjson", refused.reason)
    return (folder / "landed" / "000007.ndjson").read_bytes()


def set_aside(line, reason):
    """A line as landing writes it where an engine cannot read it."""
    return base64.b64encode(line) + b"\x01" + reason


def write_files(folder, *names, content=RECORD + b"\n"):
    """Write files of one record below a folder, compressed if a name ends in .gz."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def find_sources(folder, *sources):
    """Find the files of SOURCEs, for a root beside them."""
    return find_files([str(source) for source in sources], Root(str(folder / "root")))


def ingest_sources(folder, *sources):
    """Find and land the files of SOURCEs; returns the manifest."""
    return ingest(folder, find_sources(folder, *sources))


def ingest(folder, found):
    """Land files that were found; returns the manifest."""
    return Lander(LandingFolder.local(folder / "landed"), LocalReader(AwsAccess())).ingest(found)


def source_names(found):
    """The names by which files are known in results."""
    return [file.source for file in found.files]


def skipped_uris(found):
    """The URIs of the files that are not read."""
    return [file.uri for file in found.skipped]
