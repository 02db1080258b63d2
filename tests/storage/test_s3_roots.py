"""A root on S3 does, with the embedded engine, all that a folder does."""

import json
import uuid
from pathlib import Path

import duckdb
import pytest

from healthpipe.aws.session import AwsAccess, client
from healthpipe.runs.locks import RootLock
from healthpipe.storage.layout import Root
from healthpipe.storage.s3.requests import TIMEOUTS
from tests.conftest import AS_OF
from tests.support.records import LATER, as_line, facility
from tests.support.s3_server import REGION

pytest_plugins = ["tests.support.s3_bucket"]

BROKEN, NAMELESS = b'{"facility_id": "F2", broken', b'{"facility_name": "x"}'


class Place:
    """A root, local or on S3, and how a test puts files there and looks at them."""

    def __init__(self, uri: str, folder: Path | None, bucket) -> None:
        self.uri, self.folder, self._bucket = uri, folder, bucket

    def put(self, name: str, content: bytes) -> None:
        if self.folder is None:
            self._bucket.put(f"data/{name}", content)
            return
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def put_folder(self, source: Path) -> None:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                self.put(f"raw/{path.relative_to(source).as_posix()}", path.read_bytes())

    def get(self, name: str) -> bytes:
        if self.folder is None:
            return self._bucket.get(f"data/{name}")
        return (self.folder / name).read_bytes()

    def delete(self, name: str) -> None:
        if self.folder is None:
            self._bucket.delete(f"data/{name}")
        else:
            (self.folder / name).unlink()

    def names(self, below: str = "") -> list[str]:
        """All files there, by their names below the root."""
        if self.folder is None:
            keys = self._bucket.keys(f"data/{below}")
            return sorted(key.removeprefix("data/") for key in keys)
        files = (path for path in self.folder.rglob("*") if path.is_file())
        names = (path.relative_to(self.folder).as_posix() for path in files)
        return sorted(name for name in names if name.startswith(below))

    @property
    def live(self) -> dict:
        return json.loads(self.get("production/current.json"))


# That what is asked of S3 here holds for a folder is seen now and then.
@pytest.fixture(params=[pytest.param("local", marks=pytest.mark.slow), "s3"])
def place(request, tmp_path):
    if request.param == "local":
        return Place("data", tmp_path / "data", None)
    on_s3 = request.getfixturevalue("s3_bucket")
    return Place(f"{on_s3.uri}/data", None, on_s3)


@pytest.fixture
def on(cli, place):
    """Run a command on the root."""
    return lambda *words: cli(*words, "--root", place.uri)


@pytest.fixture
def orchestrated(on, place, examples):
    """The root with the examples as raw files, and a run of the workflow over them."""
    place.put_folder(examples)

    def run(*words, as_of=AS_OF):
        return on("orchestrate", "--as-of", as_of, *words)

    assert run().code == 0
    return run


def published(place) -> dict[str, bytes]:
    return {
        file["path"].rpartition("/")[2]: place.get(file["path"]) for file in place.live["files"]
    }


def test_the_workflow_publishes_the_same_bytes_as_on_a_folder(cli, s3_bucket, examples):
    places = [Place("data", Path("data"), None), Place(f"{s3_bucket.uri}/data", None, s3_bucket)]
    results = []
    for place in places:
        place.put_folder(examples)
        outcome = cli("orchestrate", "--as-of", AS_OF, "--root", place.uri)
        assert outcome.code == 0, outcome.err
        paths = outcome.out.splitlines()
        assert paths == [f"{place.uri}/{file['path']}" for file in place.live["files"]]
        results.append(published(place))
    here, there = results
    counts = [json.loads(each.pop("state-counts.json"))["rows"] for each in results]
    assert counts[0] == counts[1]
    for result, name in ((here, "here.parquet"), (there, "there.parquet")):
        Path(name).write_bytes(result.pop("extract.parquet"))
    rows = [duckdb.sql(f"from '{name}.parquet'").fetchall() for name in ("here", "there")]
    assert rows[0] == rows[1]
    assert here == there


def test_a_root_on_s3_has_the_files_of_a_folder(cli, s3_bucket, examples):
    places = [Place("data", Path("data"), None), Place(f"{s3_bucket.uri}/data", None, s3_bucket)]
    names = []
    for place in places:
        place.put_folder(examples)
        run = cli("orchestrate", "--as-of", AS_OF, "--root", place.uri, "--json").document["run_id"]
        stage = cli("extract", "--as-of", AS_OF, "--root", place.uri, "--json").document["run_id"]
        kept = (name.replace(run, "RUN").replace(stage, "STAGE") for name in place.names())
        # What the kernel locks, and of which a lease is the counterpart.
        names.append({name for name in kept if name != "state/lock"})
    assert names[0] == names[1]


def test_a_second_run_finds_nothing_to_do_and_a_new_file_is_curated_alone(orchestrated, place, on):
    assert orchestrated("--json").document["status"] == "unchanged"
    place.put("raw/2026-02-10/new.jsonl", b'{"facility_id": "ZZ-1"}\n')

    document = orchestrated("--json").document

    assert document["status"] == "succeeded", document
    held = sorted(
        len(json.loads(place.get(name))["files"])
        for name in place.names("curated/")
        if name.endswith("segment.json")
    )
    assert held == [1, 6]
    listed = on("runs", "list", "--json").document["runs"]
    assert [run["status"] for run in listed] == ["succeeded", "unchanged", "succeeded"]
    told = on("status", "--json", "--max-age", "1h").document
    assert told["live"]["run_id"] == document["run_id"]
    assert (told["at_work"], told["last_run_was_killed"]) == (None, False)
    shown = on("runs", "show", "--json").document
    assert {step["status"] for step in shown["steps"]} == {"succeeded"}


def test_records_of_several_segments_are_in_input_order_within_the_least_memory(on, place):
    lines = {name: as_line(facility(name, LATER)) + b"\n" for name in "bymz"}
    for arriving in ("by", "m", "z"):
        for name in arriving:
            place.put(f"raw/{name}.jsonl", lines[name])
        outcome = on("orchestrate", "--as-of", AS_OF, "--memory-limit", "300MB", "--accept-drop")
        assert outcome.code == 0, outcome.err

        files = sorted(name for name in lines if f"raw/{name}.jsonl" in place.names("raw/"))
        expected = b"".join(lines[name] for name in files)
        assert published(place)["expiring.ndjson"] == expected


def test_current_names_prints_and_copies_what_is_live(orchestrated, on, place, tmp_path, s3_bucket):
    (path,) = on("current", "state-counts").out.splitlines()
    assert path.startswith(place.uri)
    assert (
        on("current", "state-counts", "-o", "-").out.encode()
        == published(place)["state-counts.csv"]
    )
    assert on("current", "filter-expiring", "-o", "copy.ndjson").code == 0
    assert Path("copy.ndjson").read_bytes() == published(place)["expiring.ndjson"]
    assert on("current", "filter-expiring", "-o", f"{s3_bucket.uri}/out/copy.ndjson").code == 0
    assert s3_bucket.get("out/copy.ndjson") == published(place)["expiring.ndjson"]
    assert published(place), "the originals are where they were"
    assert on("current", "--json").document == place.live


def test_a_failed_gate_a_retry_a_rollback_and_a_prune(orchestrated, place, on):
    first = place.live["run_id"]
    whole = {name: place.get(name) for name in place.names("raw/2026-01-05/")}
    for name in list(whole)[1:]:
        place.delete(name)

    assert orchestrated().code == 3
    assert place.live["run_id"] == first
    retried = on("runs", "retry", "--accept-drop", "--json")
    assert retried.code == 0, retried.err
    second = retried.document["run_id"]
    assert place.live["run_id"] == second

    rolled = on("runs", "rollback", "--json")
    assert rolled.document["production"] == place.live
    assert (place.live["run_id"], place.live["generation"]) == (first, 3)
    assert on("runs", "rollback").code == 0
    assert place.live["run_id"] == second

    told = on("runs", "prune", "--keep", "1", "--days", "0", "--dry-run", "--json").document
    before = place.names()
    done = on("runs", "prune", "--keep", "1", "--days", "0", "--json").document
    assert [each["uri"] for each in done["removals"]] == [each["uri"] for each in told["removals"]]
    assert f"{place.uri}/production/{first}" in {each["uri"] for each in done["removals"]}
    left = place.names()
    assert set(left) < set(before)
    assert {name.split("/")[1] for name in left if name.startswith("production/2")} == {second}
    assert published(place)


@pytest.mark.parametrize("where", ["elsewhere", "data"])
def test_segments_of_files_of_either_kind_go_once_no_run_can_use_them(
    cli, s3_bucket, examples, where
):
    s3_bucket.put_folder(examples, "in")
    root = "data" if where == "data" else f"{s3_bucket.uri}/data"
    for source in (f"{s3_bucket.uri}/in", "examples"):
        assert cli("orchestrate", source, "--as-of", AS_OF, "--root", root).code == 0

    def pruned():
        document = cli("runs", "prune", "--root", root, "--json").document
        return [each["why"] for each in document["removals"] if each["kind"] == "segment"]

    assert pruned() == []
    s3_bucket.delete(s3_bucket.keys("in/")[0])
    assert pruned() == ["a file of it is gone"]
    s3_bucket.put("in/other.jsonl", b"{}")
    next(iter(sorted(examples.rglob("*.jsonl")))).write_bytes(b"{}")
    assert pruned() == ["a file of it has changed"]


def test_rejected_lines_are_listed_shown_exported_and_come_back(on, place, tmp_path):
    place.put(
        "raw/2026-01-05/a.jsonl", b'{"facility_id": "F1"}\n' + BROKEN + b"\n" + NAMELESS + b"\n"
    )
    place.put("raw/2026-01-05/b.json", b'[{"facility_id": "F3"}, 1]')
    run = on("extract", "--as-of", AS_OF, "--json").document
    assert run["records"]["rejected"] == 3

    listed = on("quarantine", "list", "--json").document
    assert listed["records"] == {"rejected": 3, "resolved": 0}
    shown = on("quarantine", "show", "--json").document["lines"]
    assert [(line["source"][-6:], line["number"], line["item"]) for line in shown] == [
        ("a.jsonl"[-6:], 2, None),
        ("a.jsonl"[-6:], 3, None),
        ("b.json", 1, 2),
    ]
    assert on("quarantine", "export", "-o", "mend.ndjson").code == 0
    assert Path("mend.ndjson").read_bytes() == BROKEN + b"\n" + NAMELESS + b"\n1\n"
    Path("mend.ndjson").write_bytes(b'{"facility_id": "F2"}\n' + NAMELESS + b"\n1\n")
    replayed = on("quarantine", "replay", "mend.ndjson", "--json")
    assert replayed.code == 0, replayed.err
    assert replayed.document["path"].startswith(f"{place.uri}/raw/")
    assert on("quarantine", "replay", "mend.ndjson", "--json").document["is_new"] is False

    again = on("extract", "--as-of", AS_OF, "--json").document["records"]
    assert (again["rejected"], again["resolved"], again["accepted"]) == (3, 1, 3)
    place.delete("raw/2026-01-05/a.jsonl")
    shown = on("quarantine", "show", run["run_id"], "--json").document["lines"]
    assert [line["number"] for line in shown] == [None, None, 1]


def test_mended_lines_may_come_from_s3_and_exported_ones_go_there(on, place, s3_bucket):
    place.put("raw/a.jsonl", BROKEN + b"\n")
    on("extract", "--as-of", AS_OF)
    mend = f"{s3_bucket.uri}/elsewhere/mend.ndjson"
    assert on("quarantine", "export", "-o", mend).out.strip() == mend
    assert s3_bucket.get("elsewhere/mend.ndjson") == BROKEN + b"\n"
    s3_bucket.put("elsewhere/mend.ndjson", b'{"facility_id": "F2"}\n')
    again = on("quarantine", "export", "-o", mend)
    assert (again.code, "is there already" in again.err) == (2, True)
    assert on("quarantine", "replay", mend, "--json").document["answered"] == 1


@pytest.mark.parametrize("output", ["x.csv", "tables/"])
def test_a_result_goes_to_s3(cli, s3_bucket, examples, output):
    stage = "normalize" if output.endswith("/") else "extract"
    words = (stage, "examples", "--as-of", AS_OF, "--json")
    place = f"{s3_bucket.uri}/out/{output}"
    document = cli(*words, "-o", place).document
    expected = cli(*words, "-o", output).document
    for given in (document, expected):
        main = given["output"]
        given["files"] = sorted(
            (each["path"].rpartition("/")[2], each["sha256"]) for each in main.get("files", [main])
        )
    assert document["files"] == expected["files"]
    assert len(s3_bucket.keys("out/")) == len(document["files"])
    assert cli(*words, "-o", place).code == 0, "over an earlier result of its own"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("extract", "SRC", "-o", "S3/raw/x.csv"), "lies inside the SOURCE"),
        (("extract", "S3/raw/*.csv", "-o", "S3/raw/x.csv"), "lies inside the SOURCE"),
        (("extract", "SRC", "-o", "S3"), "is a folder"),
        (("extract", "SRC", "-o", "S3/raw"), "is a folder"),
        (("extract", "SRC", "-o", "S3/raw/"), "is a folder"),
        (("normalize", "SRC", "-o", "S3/raw/a.jsonl"), "is a file"),
        (("normalize", "examples", "-o", "S3/raw"), "holds other files"),
        (("extract", "SRC", "-o", "S3/x.foo"), "unknown suffix"),
        (("extract", "SRC", "-o", "s3://no-such-bucket/x.csv"), "bucket"),
        (("extract", "SRC", "--root", "s3://no-such-bucket/x"), "bucket"),
        (("extract", "S3/nothing"), "is not there"),
        (("orchestrate", "SRC", "--root", "s3://X"), "no name of a bucket"),
        (("orchestrate", "SRC", "--root", "s3://"), "names no bucket"),
        (("orchestrate", "SRC", "--bucket-owner", "12"), "no account id"),
        (("generate-data", "--root", "S3/data"), "this machine only"),
        (("status", "--root", "s3://no-such-bucket/x"), "bucket"),
        (("runs", "rollback", "--root", "S3/empty"), "empty is not there; give --root"),
        (("runs", "list", "--root", "S3/empty"), "empty is not there; give --root"),
        (("status", "--root", "S3/empty"), "empty is not there; give --root"),
    ],
)
def test_is_refused_in_one_line_before_anything_is_written(cli, s3_bucket, examples, words, why):
    s3_bucket.put("raw/a.jsonl", b'{"facility_id": "F1"}\n')
    before = s3_bucket.keys()
    given = [
        word.replace("SRC", f"{s3_bucket.uri}/raw").replace("S3", s3_bucket.uri) for word in words
    ]
    outcome = cli(*given)
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    (line,) = outcome.err.splitlines()
    assert why in line
    assert s3_bucket.keys() == before


@pytest.mark.parametrize("words", [("status",), ("runs", "list")])
def test_a_root_that_exists_may_hold_no_run(cli, s3_bucket, words):
    assert cli(*words, "--root", s3_bucket.uri).code == 0, "an empty bucket is there"
    s3_bucket.put("data/raw/a.jsonl", b'{"facility_id": "F1"}\n')
    assert cli(*words, "--root", f"{s3_bucket.uri}/data").code == 0


def test_a_run_that_another_holds_out_ends_with_5_and_names_it(orchestrated, place):
    root = Root(place.uri)
    lock = RootLock.of(root)
    lock.acquire("another run")
    outcome = orchestrated("--force")
    lock.release("another run")
    assert outcome.code == 5
    assert "another run is at work" in outcome.err
    assert orchestrated("--force").code == 0


def test_somebody_else_who_publishes_first_ends_it_with_6(orchestrated, step_spy, place):
    before = place.live

    def flip_elsewhere():
        other = {**place.live, "nonce": uuid.uuid4().hex, "generation": 2}
        place.put("production/current.json", json.dumps(other).encode())

    step_spy.before["Publish"] = flip_elsewhere
    outcome = orchestrated("--force")
    assert outcome.code == 6, outcome.err
    assert place.live["files"] == before["files"]
    assert {name.split("/")[1] for name in place.names("production/2")} == {before["run_id"]}


def test_the_options_reach_every_request(cli, s3_bucket, examples):
    asked = []
    owner, words = "123456789012", ("--root", f"{s3_bucket.uri}/data", "--region", REGION)
    events = client("s3", AwsAccess(REGION), TIMEOUTS).meta.events
    events.register("provide-client-params.s3", lambda params, **_: asked.append(params))

    words += ("--bucket-owner", owner, "--kms-key", "key")
    assert cli("orchestrate", "examples", "--as-of", AS_OF, *words).code == 0

    assert {each.get("ExpectedBucketOwner") for each in asked} == {owner}
    written = s3_bucket.keys("data/")
    keys = {
        s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=key).get("SSEKMSKeyId")
        for key in written
    }
    assert {key.rpartition("/")[2] for key in keys} == {"key"}
