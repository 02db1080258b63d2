"""Links in a SOURCE: whose are followed, and under which of its paths a file is read, once."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ordinary_user import ordinary_user
from tests.support.records import LATER, facility
from tests.support.source_files import find_sources, source_names, write_files


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def skipped(found):
    return {file.source: file.reason for file in found.skipped}


@pytest.mark.parametrize("source", ["in", "in/*", "in/**", "in/**/*.json", "in/*/*.json"])
def test_a_link_to_a_folder_is_read_by_its_own_name_and_date(source, tmp_path):
    write_files(tmp_path, "in/x/a.json", "share/week7/b.json", "share/week7/deep/c.json")
    link(tmp_path / "in/2026-02-01", "../share/week7")

    found = find_sources(tmp_path, tmp_path / source)

    dates = {file.source: str(file.folder_date) for file in found.files}
    deep = {} if source == "in/*/*.json" else {"2026-02-01/deep/c.json": "2026-02-01"}
    assert dates == {"x/a.json": "None", "2026-02-01/b.json": "2026-02-01"} | deep
    assert found.skipped == ()


@pytest.mark.parametrize("source", ["in", "in/*", "in/**"])
@pytest.mark.parametrize("name", ["0", "z"])
def test_what_is_found_without_a_link_is_read_under_that_path(source, name, tmp_path):
    write_files(tmp_path, "in/2026-02-01/a.json", "in/2026-02-01/b.json")
    link(tmp_path / "in" / name, "2026-02-01")
    link(tmp_path / "in" / f"{name}.json", "2026-02-01/b.json")

    found = find_sources(tmp_path, tmp_path / source)

    assert source_names(found) == ["2026-02-01/a.json", "2026-02-01/b.json"]
    assert found.skipped == ()


def test_a_path_without_a_link_wins_in_another_source_too(tmp_path):
    write_files(tmp_path, "share/a.json")
    link(tmp_path / "in/day", "../share")

    found = find_sources(tmp_path, tmp_path / "in", tmp_path / "share")

    assert [file.uri for file in found.files] == [f"{tmp_path}/share/a.json"]


def test_a_file_with_two_names_is_read_once_in_its_latest_folder(tmp_path):
    write_files(tmp_path, "in/2026-02-01/a.json", "in/2026-02-02/b.json", "in/2026-02-03/c.json")
    for day in ("2026-02-02", "2026-02-03"):
        os.link(tmp_path / "in/2026-02-01/a.json", tmp_path / "in" / day / "a.json")

    assert source_names(find_sources(tmp_path, tmp_path / "in")) == [
        "2026-02-02/b.json", "2026-02-03/a.json", "2026-02-03/c.json",
    ]  # fmt: skip


def test_equal_files_that_are_not_the_same_are_all_read(tmp_path):
    write_files(tmp_path, "in/a.json", "in/b.json", "in/x/a.json")

    assert len(find_sources(tmp_path, tmp_path / "in").files) == 3


@pytest.mark.parametrize("source", ["in", "in/**/*.json", "in/**"])
def test_a_circle_of_links_is_walked_once(source, tmp_path):
    write_files(tmp_path, "in/x/a.json", "in/y/b.json")
    for name, target in [
        ("in/up", "."), ("in/x/over", "../y"), ("in/y/over", "../x"), ("in/x/top", ".."),
    ]:  # fmt: skip
        link(tmp_path / name, target)

    found = find_sources(tmp_path, tmp_path / source)

    assert (source_names(found), found.skipped) == (["x/a.json", "y/b.json"], ())


FOLDERS = ("in", "in/a", "in/a/b", "in/2026-02-01", "out", "out/c")


def reachable(folder, seen):
    """Every file that some way leads to, by its path without links."""
    real = os.path.realpath(folder)
    if real in seen:
        return set()
    seen.add(real)
    found = set()
    for entry in os.scandir(real):
        below = os.path.realpath(entry.path)
        found |= reachable(below, seen) if Path(below).is_dir() else {below}
    return found


@given(
    files=st.sets(st.tuples(st.sampled_from(FOLDERS), st.sampled_from("xy"))),
    links=st.dictionaries(
        st.tuples(st.sampled_from(FOLDERS), st.sampled_from("lmn")), st.sampled_from(FOLDERS)
    ),
)
@settings(max_examples=60, deadline=None)
def test_what_any_way_leads_to_is_read_once_without_a_link_if_there_is_such_a_way(files, links):
    with tempfile.TemporaryDirectory() as name:
        top = Path(os.path.realpath(name))
        for folder in FOLDERS:
            (top / folder).mkdir(exist_ok=True)
        write_files(top, "in/0.json", *(f"{folder}/{each}.json" for folder, each in files))
        for (folder, each), target in links.items():
            link(top / folder / each, top / target)

        for source in ("in", "in/**", "in/**/*.json"):
            uris = [file.uri for file in find_sources(top, top / source).files]

            assert len(uris) == len(set(uris))
            assert sorted(map(os.path.realpath, uris)) == sorted(reachable(top / "in", set()))
            direct = [uri for uri in uris if os.path.realpath(uri).startswith(f"{top}/in/")]
            assert direct == [os.path.realpath(uri) for uri in direct]


@pytest.mark.parametrize("source", ["root/raw", "root/raw/*", "root/raw/**"])
def test_links_into_the_roots_own_folders_are_named_and_not_followed(source, tmp_path):
    write_files(tmp_path / "root", "raw/a.json", "runs/1/run.json", "curated/x.json", "b.json")
    link(tmp_path / "root/raw/runs", "../runs")
    link(tmp_path / "root/raw/c.json", "../curated/x.json")
    link(tmp_path / "root/raw/loop", "..")

    found = find_sources(tmp_path, tmp_path / source)

    assert source_names(found) == ["a.json", "loop/b.json"]
    assert skipped(found) == dict.fromkeys(["runs", "c.json"], "a link into the root's own folders")


def test_doctor_names_a_link_that_is_not_followed(cli, tmp_path):
    (tmp_path / "data/runs").mkdir(parents=True)
    link(tmp_path / "data/raw/x", "../runs")

    outcome = cli("doctor")

    assert outcome.code == 0
    told = "data/raw/x is not followed: it is a link into the root's own folders; remove it: "
    assert f"input\twarning\t{told}" in outcome.out


FOREIGN = "a link that belongs to another user"


@pytest.mark.parametrize("source", ["in", "in/*", "in/**", "in/*/b.json"])
def test_a_link_of_another_user_is_named_and_not_followed(source, tmp_path, monkeypatch):
    write_files(tmp_path, "in/x/b.json", "share/b.json")
    link(tmp_path / "in/day", "../share")
    link(tmp_path / "in/c.json", "nowhere")
    owner, lstat = os.getuid() + 1, os.lstat

    def owned_by_another(path):
        status = lstat(path)
        return os.stat_result((*status[:4], owner, *status[5:]))

    monkeypatch.setattr(os, "lstat", owned_by_another)

    found = find_sources(tmp_path, tmp_path / source)

    expected = ["day"] if source == "in/*/b.json" else ["day", "c.json"]
    assert source_names(found) == ["x/b.json"]
    assert skipped(found) == dict.fromkeys(expected, FOREIGN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link to another user")
@pytest.mark.parametrize(
    ("owners", "is_followed"),
    [((65534, 65534), True), ((0, 65534), True), ((12345, 65534), False), ((0, 12345), False)],
)
def test_links_are_followed_that_the_user_or_root_owns_each_of_them(
    loaded_launcher, owners, is_followed
):
    with ordinary_user(loaded_launcher) as user:
        user.write("data/raw/a.jsonl", facility("F1", LATER))
        user.write("share/b.jsonl", facility("F2", LATER))
        link(user.home / "data/raw/b.jsonl", "../../second")
        link(user.home / "second", "share/b.jsonl")
        for name, owner in zip(["data/raw/b.jsonl", "second"], owners, strict=True):
            os.chown(user.home / name, owner, owner, follow_symlinks=False)

        outcome = user.orchestrate()

        assert outcome.code == 0
        assert outcome.document["records"]["accepted"] == 1 + is_followed
        assert outcome.document["input"]["skipped"] == 1 - is_followed


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link to another user")
def test_a_link_that_is_named_outright_is_followed_whoever_owns_it(tmp_path):
    write_files(tmp_path, "share/b.json")
    link(tmp_path / "day", "share")
    link(tmp_path / "b.json", "share/b.json")
    for name in ("day", "b.json"):
        os.chown(tmp_path / name, 12345, 12345, follow_symlinks=False)

    for source in ("day", "b.json", "day/*"):
        assert source_names(find_sources(tmp_path, tmp_path / source)) == ["b.json"]
