"""Curated segments: the lines of files are judged once, and read from Parquet from then on.

Whatever arrives, changes, goes or is damaged, a stage gives the same as from raw files.
"""

import gzip
import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import healthpipe
from healthpipe.engines.sql import column_names
from healthpipe.stages import segment_cache, segment_writer
from healthpipe.stages.curate import DETAILS, FOUND
from healthpipe.storage.s3.cache import cache_folder
from healthpipe.workflow import stage_run
from tests.conftest import AS_OF

STAGES = (
    ("filter-expiring", "--months", "6"),
    ("filter-expiring", "--days", "40", "--include-expired", "--annotate"),
    ("filter-expiring", "--grain", "accreditation", "--format", "csv"),
    ("extract", "--format", "csv", "--first-accreditation", "earliest"),
    ("state-counts", "--accredited", "any"),
    ("extract", "--format", "csv", "--strict"),
    ("normalize", "--format", "csv"),
)


def record(number: int, day: str = "2026-04-01", **fields) -> str:
    body = {"accreditation_body": "DNV", "accreditation_id": f"A{number}", "valid_until": day}
    return json.dumps(
        {
            "facility_id": f"F{number}",
            "facility_name": f"Clinic {number}",
            "location": {"state": ("TX", "Ohio", "ontario")[number % 3]},
            "accreditations": [body],
            **fields,
        }
    )


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.jsonl", text)
    return packed.getvalue()


def content_of(kind: str, number: int) -> tuple[str, bytes]:
    """The suffix and the bytes of a file that is read in its own way."""
    one, two = record(number), record(number + 1, "2026-03-01")
    dirty = record(number, "soon", employee_count="many")
    return {
        "clean": (".jsonl", f"{one}\n{two}\n".encode()),
        "dirty": (".jsonl", f"{dirty}\nnot json\n[]\n{two}\n".encode()),
        "array": (".json", f"[{one}, {two}]".encode()),
        "packed": (".jsonl", f'{one}\n{{"page": [{two}, {dirty}]}}\n'.encode()),
        "gzip": (".jsonl.gz", gzip.compress(f"{two}\n".encode())),
        "zip": (".zip", zipped(a=one, b=f"{two}\n{{")),
        "csv": (".txt", b"facility_id,name\nF1,x\n"),
        "empty": (".jsonl", b""),
    }[kind]


KINDS = ("clean", "dirty", "array", "packed", "gzip", "zip", "csv", "empty")
arrivals = st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(1, 3))
changes = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), arrivals),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("rewrite"), st.integers(0, 9)),
        st.tuples(st.just("move"), st.integers(0, 9)),
        st.tuples(st.just("damage"), st.sampled_from(("data", "description", "gone"))),
        st.tuples(st.just("orchestrate"), st.none()),
        st.tuples(st.just("upgrade"), st.none()),
    ),
    min_size=1,
    max_size=3,
)
# The first files; what happens before a stage is run, the stage, and whether on some files alone.
arrived = st.lists(arrivals, min_size=2, max_size=4)
mornings = st.lists(
    st.tuples(changes, st.sampled_from(STAGES), st.booleans()), min_size=2, max_size=3
)


@dataclass
class Site:
    """A root whose raw files change, and the command line over it."""

    rig: object
    cli: object
    monkeypatch: object
    files: dict[str, bytes] = field(default_factory=dict)
    upgrades: int = 0

    def change(self, what: str, how: object) -> None:
        names = sorted(self.files)
        match what:
            case "arrive":
                kind, number, day = how
                suffix, content = content_of(kind, number)
                self.put(f"raw/2026-01-0{day}/{kind}-{number}{suffix}", content)
            case "orchestrate":
                self.cli("orchestrate", *self.root, "--as-of", AS_OF, "--max-rejects", "100%")
            case "damage":
                self.damage(how)
            case "upgrade":
                self.upgrades += 1
                self.monkeypatch.setattr(healthpipe, "__version__", f"0.1.{self.upgrades}")
            case _ if not names:
                return
            case "remove":
                self.remove(names[how % len(names)])
            case "rewrite":
                name = names[how % len(names)]
                self.put(name, self.files[name][: len(self.files[name]) // 2])
            case "move":
                name = names[how % len(names)]
                content = self.remove(name)
                self.put(f"raw/2026-01-09/{Path(name).name}", content)

    @property
    def root(self) -> tuple[str, str]:
        return "--root", self.rig.root.uri

    def put(self, name: str, content: bytes) -> None:
        self.rig.put(name, content)
        self.files[name] = content

    def remove(self, name: str) -> bytes:
        self.rig.root.storage.delete(f"{self.rig.root.uri}/{name}")
        return self.files.pop(name)

    def damage(self, how: str) -> None:
        storage = self.rig.root.storage
        for file in list(storage.list(self.rig.root.curated))[:2]:
            is_data = not file.uri.endswith("segment.json")
            if how == "gone" and is_data:
                storage.delete(file.uri)
            elif how == "data" and is_data:
                storage.write(file.uri, storage.read(file.uri)[0][:-7])
            elif how == "description" and not is_data:
                storage.write(file.uri, b'{"schema_version": 3')

    def result(self, stage: tuple[str, ...], source: str, *options: str) -> tuple[object, ...]:
        """Run a stage by hand; returns its exit code, its counts and the content of its files."""
        done = self.cli(*stage, source, *self.root, "--as-of", AS_OF, "--json", *options)
        document = done.document
        if "output" not in document or not document["output"]:
            return done.code, document["status"]
        listed = document["output"].get("files", [document["output"]])
        named = [(Path(each["path"]).name, each["path"]) for each in listed]
        content = {
            name: self.rig.in_order(path.read_bytes())
            for name, path in self.rig.joined(named).items()
            if not name.endswith("state-counts.json")
        }
        if self.rig.is_remote:  # its parts have names of their own, and rows in no order
            content = sorted(repr(row) for rows in content.values() for row in rows)
        return done.code, document["records"], document["issues"], document["input"], content


@pytest.fixture
def site(rig, cli, monkeypatch):
    return Site(rig, cli, monkeypatch)


def sequences(examples: int):
    """Generate so many sequences of mornings."""

    def decorate(test):
        quiet = list(HealthCheck)
        bounded = settings(max_examples=examples, deadline=None, suppress_health_check=quiet)
        return bounded(given(arrived, mornings)(test))

    return decorate


@sequences(3)
def test_a_stage_gives_the_same_as_from_raw_files(rig, cli, arrived, mornings):
    require_the_same(rig, cli, arrived, mornings)


@pytest.mark.slow
@sequences(80)
def test_a_stage_gives_the_same_as_from_raw_files_in_many_sequences(rig, cli, arrived, mornings):
    require_the_same(rig, cli, arrived, mornings)


@pytest.mark.every_engine("athena", "trino")
@sequences(2)
def test_a_stage_gives_the_same_as_from_raw_files_elsewhere(rig, cli, arrived, mornings):
    require_the_same(rig, cli, arrived, mornings)


def require_the_same(rig, cli, arrived, mornings):
    with pytest.MonkeyPatch.context() as patch:
        site = Site(rig, cli, patch)
        rig.root = type(rig.root)(rig.named_root(f"sequence-{os.urandom(4).hex()}/data"))
        for each in arrived:
            site.change("arrive", each)
        site.result(STAGES[0], f"{rig.root.uri}/raw")
        for happened, stage, is_part in mornings:
            for what, how in happened:
                site.change(what, how)
            if not site.files:
                continue
            first = min(site.files).rpartition("/")[0]
            source = f"{rig.root.uri}/{first if is_part else 'raw'}"
            expected = site.result(stage, source, "--no-cache")
            assert site.result(stage, source) == expected
            assert site.result(stage, source) == expected, "asked again"


@pytest.mark.every_engine
def test_of_a_segment_only_the_files_that_are_wanted_are_read(site, rig):
    for name in ("x/a.jsonl", "x/b.jsonl", "y/c.jsonl"):
        site.put(f"raw/{name}", f"{record(ord(name[2]))}\n".encode())
    site.result(STAGES[3], f"{rig.root.uri}/raw")

    _, records, _, inputs, content = site.result(STAGES[3], f"{rig.root.uri}/raw/x")

    assert (records["lines"], inputs["files"]) == (2, 2)
    assert "F99" not in repr(content), "of y/c.jsonl"
    assert len(held(rig)) == 1


@pytest.mark.every_engine
def test_a_file_that_has_changed_is_judged_anew(site, rig):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())
    site.result(STAGES[3], f"{rig.root.uri}/raw")
    site.put("raw/a.jsonl", f"{record(1)}\n{record(2)}\n".encode())

    assert site.result(STAGES[3], f"{rig.root.uri}/raw")[1]["accepted"] == 2


@pytest.mark.every_engine
def test_the_date_of_a_folder_counts_where_the_file_lies_now(site, rig):
    """As SOURCE a folder has a date, whose subfolders have others."""
    site.put("raw/2026-01-01/late/a.jsonl", f"{record(1, facility_name='late')}\n".encode())
    site.put("raw/2026-01-02/early/a.jsonl", f"{record(1, facility_name='early')}\n".encode())
    until = ("--snapshot", "2026-01-01")
    everything, part = f"{rig.root.uri}/raw", f"{rig.root.uri}/raw/2026-01-02"

    assert site.result(STAGES[3], everything, *until)[1]["superseded"] == 1
    assert site.result(STAGES[3], everything, *until) == site.result(
        STAGES[3], everything, "--no-cache", *until
    )
    assert site.result(STAGES[3], part, *until) == site.result(
        STAGES[3], part, "--no-cache", *until
    )


def segments(rig) -> list[dict]:
    names = sorted(rig.names(rig.root.curated))
    return [
        json.loads(rig.local(f"{rig.root.curated}/{name}").read_text())
        for name in names
        if name.endswith("segment.json")
    ]


def held(rig) -> list[list[str]]:
    """The names of the files in each segment."""
    return [[file["source"] for file in each["files"]] for each in segments(rig)]


@pytest.mark.every_engine
def test_segments_grow_by_the_files_that_are_new(site, rig):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())
    site.result(STAGES[0], f"{rig.root.uri}/raw")
    site.put("raw/b.jsonl", f"{record(2)}\n".encode())
    site.result(STAGES[3], f"{rig.root.uri}/raw")
    site.result(STAGES[4], f"{rig.root.uri}/raw")

    assert sorted(held(rig)) == [["a.jsonl"], ["b.jsonl"]]


def test_the_workflow_reads_what_a_stage_by_hand_has_judged(site, rig):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())
    site.result(STAGES[0], f"{rig.root.uri}/raw")

    assert site.cli("orchestrate", *site.root, "--as-of", AS_OF, "--quiet").code == 0
    assert held(rig) == [["a.jsonl"]]


def test_without_cache_nothing_is_kept_or_read(site, rig):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())

    site.result(STAGES[0], f"{rig.root.uri}/raw", "--no-cache")

    assert segments(rig) == []


def test_of_a_file_outside_the_root_nothing_is_kept(site, rig, tmp_path):
    Path(tmp_path, "a.jsonl").write_text(f"{record(1)}\n")

    site.result(STAGES[0], "a.jsonl")

    assert segments(rig) == []
    assert not Path(cache_folder(), "segments").exists()


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """The user's cache, empty."""
    monkeypatch.setenv("HEALTHPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/segments"


def test_of_a_file_outside_the_root_lines_are_kept_where_asked_for(site, rig, tmp_path, own_folder):
    Path(tmp_path, "a.jsonl").write_text(f"{record(1)}\n")

    expected = site.result(STAGES[0], "a.jsonl")
    assert site.result(STAGES[0], "a.jsonl", "--cache") == expected
    (data,) = own_folder.glob("curated/*/judged.parquet")
    kept = data.stat().st_mtime_ns
    assert site.result(STAGES[0], "a.jsonl", "--cache") == expected

    assert (own_folder.stat().st_mode & 0o777, data.stat().st_mtime_ns) == (0o700, kept)
    assert segments(rig) == []


def test_standard_input_is_never_kept(site, rig, own_folder):
    line = f"{record(1)}\n".encode()

    assert site.cli("extract", "-", "--cache", "--quiet", *site.root, stdin=line).code == 0

    assert (segments(rig), list(own_folder.glob("curated/*"))) == ([], [])


def test_the_least_recently_used_segments_of_the_cache_go_first(
    site, tmp_path, own_folder, monkeypatch
):
    for number, name in enumerate(("a", "b", "c")):
        Path(tmp_path, f"{name}.jsonl").write_text(f"{record(number)}\n")
        site.result(STAGES[0], f"{name}.jsonl", "--cache")
    folders = {
        json.loads(path.read_text())["files"][0]["source"]: path.parent
        for path in own_folder.glob("curated/*/segment.json")
    }
    for age, name in ((9000, "b.jsonl"), (8000, "a.jsonl"), (10, "c.jsonl")):
        path = folders[name] / "segment.json"
        used = path.stat().st_mtime - age
        os.utime(path, (used, used))
    size = sum(path.stat().st_size for path in folders["a.jsonl"].iterdir())

    segment_cache.evict_segments(limit=2 * size + size // 2)
    assert [name for name, path in sorted(folders.items()) if path.exists()] == [
        "a.jsonl",
        "c.jsonl",
    ]
    segment_cache.evict_segments(limit=0)
    assert [name for name, path in folders.items() if path.exists()] == ["c.jsonl"], "in use"


def test_a_file_in_a_segment_is_not_opened_again(site, rig, monkeypatch):
    site.put("raw/a.json", f"[{record(1)}, {record(2)}]".encode())
    expected = site.result(STAGES[0], f"{rig.root.uri}/raw")

    monkeypatch.setattr("healthpipe.ingest.readers.LocalReader.content", lambda *_: 1 / 0)

    assert site.result(STAGES[0], f"{rig.root.uri}/raw") == expected


def test_a_file_with_a_line_above_8_mb_is_opened_again_for_its_bytes(site, rig):
    large = record(2, note="x" * 8_000_001)
    site.put("raw/a.jsonl", f"{record(1)}\n{large}\n".encode())
    for _ in range(2):
        done = site.cli("extract", *site.root, "--json", "--as-of", AS_OF)
        run = done.document["run_id"]
        shown = site.cli("quarantine", "export", run, "-o", "-", *site.root)
        assert len(shown.out) == len(large) + 1
    assert held(rig) == [["a.jsonl"]]


def test_an_archive_of_which_a_member_is_in_no_segment_is_opened_again(site, rig):
    archive = zipped(a=record(1), b=record(2) + " " * 3000)
    site.put("raw/a.zip", archive)
    small = ("--unpack-limit", "2kB")
    for options in (small, small, ()):
        result = site.result(STAGES[3], f"{rig.root.uri}/raw", *options)
        assert result == site.result(STAGES[3], f"{rig.root.uri}/raw", "--no-cache", *options)


def test_a_segment_that_is_lost_after_the_listing_is_made_anew(site, rig, monkeypatch):
    site.put("raw/a.json", f"[{record(1)}, {record(2)}]".encode())
    site.put("raw/b.zip", zipped(a=record(3), b=record(4)))
    expected = site.result(STAGES[0], f"{rig.root.uri}/raw")
    original = segment_writer.SegmentWriter.segments_for

    def lose(writer, manifest, reading):
        if reading == 1:
            assert all(file.is_reused for file in manifest.files)
            site.damage("gone")
        return original(writer, manifest, reading)

    monkeypatch.setattr(segment_writer.SegmentWriter, "segments_for", lose)

    assert site.result(STAGES[0], f"{rig.root.uri}/raw") == expected


def test_in_a_root_that_cannot_be_written_to_segments_are_read(site, rig, monkeypatch):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())
    expected = site.result(STAGES[0], f"{rig.root.uri}/raw")
    monkeypatch.setattr(stage_run, "is_read_only", lambda root, _: root == rig.root)
    monkeypatch.setattr("healthpipe.ingest.readers.LocalReader.content", lambda *_: 1 / 0)

    assert site.result(STAGES[0], f"{rig.root.uri}/raw") == expected


@pytest.mark.every_engine
def test_many_segments_become_one(site, rig, monkeypatch):
    monkeypatch.setattr(segment_writer, "MAX_SEGMENTS", 2)
    for number, kind in enumerate(("clean", "dirty", "array", "packed")):
        suffix, content = content_of(kind, 3 * number)
        site.put(f"raw/2026-01-0{9 - number}/{kind}{suffix}", content)
        site.result(STAGES[3], f"{rig.root.uri}/raw")
    assert sorted(map(len, held(rig))) == [1, 1, 1, 1]
    stages = STAGES[3:5] if rig.is_remote else STAGES
    expected = [site.result(each, f"{rig.root.uri}/raw", "--no-cache") for each in stages]

    done = site.cli("orchestrate", *site.root, "--as-of", AS_OF, "--quiet", "--max-rejects", "100%")

    assert done.code == 0, done.err
    assert sorted(map(len, held(rig))) == [1, 1, 1, 1, 4]
    assert [site.result(each, f"{rig.root.uri}/raw") for each in stages] == expected
    assert sorted(map(len, held(rig))) == [1, 1, 1, 1, 4]


def test_the_sizes_and_digests_of_a_segment_are_in_its_description(site, rig):
    site.put("raw/a.jsonl", f"{record(1)}\n".encode())
    site.result(STAGES[0], f"{rig.root.uri}/raw")

    (document,) = segments(rig)
    (part,) = document["data"]
    (name,) = (name for name in rig.names(rig.root.curated) if name.endswith(part["name"]))
    content = rig.local(f"{rig.root.curated}/{name}").read_bytes()
    assert part["bytes"] == len(content)
    assert part["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_merged_segment_has_the_columns_of_others():
    assert list(column_names("merged")) == [
        name for name in column_names("judged") if name not in (*DETAILS, *FOUND)
    ]
