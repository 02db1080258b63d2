"""A bench for the faults, one for all tests of a process."""

import pytest

from tests.faults.kills import Bench
from tests.faults.launching import Launcher


@pytest.fixture(scope="session")
def launcher():
    with Launcher() as launcher:
        yield launcher


@pytest.fixture(scope="session")
def bench(launcher, tmp_path_factory):
    return Bench(launcher, tmp_path_factory.mktemp("faults"))
