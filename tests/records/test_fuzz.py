"""Some thousand of the cases that the fuzzing script runs by the hundred thousand."""

import pytest

from tests.support import fuzz


@pytest.mark.every_engine
def test_a_batch_of_dirty_files_agrees_with_the_oracle(rig):
    cases = fuzz.BATCH // (4 if rig.is_remote else 1)
    assert fuzz.run(rig, cases, number=11) == cases


@pytest.mark.slow
def test_a_thousand_dirty_files_agree_with_the_oracle(rig):
    assert fuzz.run(rig, cases=1000, number=12) == 1000


def test_a_difference_is_found_and_left_behind_as_one_file(rig, monkeypatch, capsys, tmp_path):
    def fail_for_one(rig, files, wanted, names):
        assert not any(file.source == "0007.json" for file in files)

    monkeypatch.setattr(fuzz, "check_by_hand", fail_for_one)
    monkeypatch.setattr(fuzz, "BATCH", 10)
    monkeypatch.setattr(fuzz.tempfile, "mkdtemp", lambda **_: str(tmp_path))

    with pytest.raises(AssertionError):
        fuzz.run(rig, cases=10, number=1)

    assert [path.name for path in tmp_path.iterdir()] == ["0007.json"]
    assert str(tmp_path) in capsys.readouterr().err
