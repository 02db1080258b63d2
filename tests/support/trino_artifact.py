"""The Trino server as its Maven artifact: fetched, unpacked once, and a Java that runs it."""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from filelock import FileLock

VERSION = "476"
ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
OLDEST_JAVA = 24
PLUGINS = ("hive", "memory", "tpch")
FETCH_TIMEOUT_S = 900


class Unavailable(Exception):
    """Trino cannot run here; the message says why."""


@cache
def why_not() -> str | None:
    """Why Trino cannot run here, None where it can. Fetches it if it has to."""
    try:
        find_java()
        installation()
    except Unavailable as error:
        return str(error)
    return None


@cache
def find_java() -> Path:
    """A Java that Trino runs on. Raises `Unavailable`."""
    for candidate in _javas():
        if candidate.is_file() and _java_version(candidate) >= OLDEST_JAVA:
            return candidate
    raise Unavailable(f"Trino {VERSION} needs Java {OLDEST_JAVA} or later, and none was found")


@cache
def installation() -> Path:
    """The folder of the unpacked server, which is kept between runs. Raises `Unavailable`."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = caches / "healthpipe-trino"
    home = kept / f"trino-server-{VERSION}"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"there is no place to keep it: {error}") from error
    with FileLock(kept / "lock"):
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=kept) as folder:
                _unpack(_fetch(Path(folder)), Path(folder)).rename(home)
    return home


def _javas() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    if found := shutil.which("java"):
        yield Path(found)


def _java_version(java: Path) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


def _fetch(folder: Path) -> Path:
    """Have Maven put the artifact into a folder; from its own repository if it is there."""
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable(f"Trino {VERSION} is fetched with Maven (mvn), which was not found")
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}"]
    try:
        subprocess.run(
            [*command, f"-DoutputDirectory={folder}"],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=FETCH_TIMEOUT_S,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"Maven could not fetch {ARTIFACT}: {error}") from error
    return next(folder.glob("*.tar.gz"))


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the libraries and the wanted plugins; many files are links to those of others."""
    with tarfile.open(archive) as packed:
        members = packed.getmembers()
        wanted = [member for member in members if _is_wanted(member.name)]
        names = {member.name for member in wanted} | {m.linkname for m in wanted if m.islnk()}
        packed.extractall(folder, [m for m in members if m.name in names], filter="data")
    home = folder / f"trino-server-{VERSION}"
    for plugin in (home / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    return home


def _is_wanted(name: str) -> bool:
    _, top, *rest = (*name.split("/"), "")
    return top == "lib" or (top == "plugin" and rest[0] in PLUGINS)
