"""The same cases in moto's Step Functions, as a second opinion: where it differs is listed."""

from collections import Counter

import pytest

from tests.asl.cases.cases import CASES
from tests.asl.cases.disagreements import ACCEPTS, RUNS
from tests.asl.cases.invalid import INVALID

pytestmark = pytest.mark.slow

COMPARED = {name: case for name, case in CASES.items() if not case.ours}
OF_THE_LANGUAGE = {name: told for name, told in INVALID.items() if not told[0].startswith("ours")}


@pytest.fixture(scope="module")
def moto():
    # moto's EC2 comes with it: a second of each process that collects tests.
    from tests.asl.cases.second_opinion import step_functions

    with step_functions() as opinion:
        yield opinion


def without_causes(value):
    """What is left of a value: a Lambda's causes are documents, those of a task are texts."""
    if isinstance(value, list):
        return [without_causes(item) for item in value]
    if isinstance(value, dict):
        hidden = {"Cause"} if "Error" in value else set()
        return {name: without_causes(item) for name, item in value.items() if name not in hidden}
    return value


def agrees(case, observed):
    return (
        (without_causes(observed.output), observed.error)
        == (without_causes(case.output), case.error)
        and Counter(observed.path) == Counter(case.path)
        and (case.delays is None or observed.delays == list(case.delays))
    )


@pytest.mark.parametrize(("name", "case"), COMPARED.items(), ids=COMPARED)
def test_moto_agrees_where_it_is_not_listed(moto, name, case):
    observed = moto.observe(case)
    assert agrees(case, observed) == (name not in RUNS), observed


@pytest.mark.parametrize(("name", "told"), OF_THE_LANGUAGE.items(), ids=OF_THE_LANGUAGE)
def test_moto_refuses_what_it_is_not_listed_to_accept(moto, name, told):
    assert moto.refuses(told[1]) == (name not in ACCEPTS)


def test_the_list_names_cases_alone():
    assert set(RUNS) <= set(COMPARED)
    assert set(ACCEPTS) <= set(OF_THE_LANGUAGE)
