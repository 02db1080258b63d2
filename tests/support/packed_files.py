"""Files packed in every way that is read, each with the same lines."""

import bz2
import gzip
import io
import lzma
import zipfile

import zstandard


def pack_zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def pack_zip(content: bytes, name: str = "in/facilities.jsonl") -> bytes:
    return zip_of({name: content})


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of files by name; a name may also be a ZipInfo."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


CODECS = {
    "gzip": gzip.compress,
    "zstd": pack_zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
SUFFIXES = {"gzip": ".gz", "zstd": ".zst", "bzip2": ".bz2", "xz": ".xz"}


def in_members(pack, content: bytes) -> bytes:
    """The same packed as two members of one stream, cut within a line."""
    middle = len(content) // 2
    return pack(content[:middle]) + pack(content[middle:])
