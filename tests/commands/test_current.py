"""`current`: paths, data and the pointer of what is live."""

import json
from pathlib import Path


def test_current_shows_paths_data_and_the_pointer(orchestrate, cli, pointer, tmp_path):
    published = orchestrate().out

    assert cli("current").out == published
    assert cli("current", "extract").out == published.splitlines()[0] + "\n"
    shown = cli("current", "filter-expiring", "-o", "-").out
    assert shown == Path(published.splitlines()[1]).read_text()
    assert cli("current", "--json").document == json.loads(pointer.read_text())
    cli("current", "state-counts", "-o", "copy.csv")
    assert (tmp_path / "copy.csv").read_text() == Path(published.splitlines()[2]).read_text()
