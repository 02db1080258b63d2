"""Every output, row by row, against what the contract says in plain Python."""

import datetime
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from healthpipe.errors import GateFailed
from healthpipe.publishing.gates import RawGates
from healthpipe.runs.record import Execution
from healthpipe.runs.request import RunRequest
from healthpipe.stages.options import RawOptions
from healthpipe.workflow.orchestrate import orchestrate
from tests.support.engine_rig import PART
from tests.support.figures import expected_figures, without_zeros
from tests.support.oracle import Options, Oracle
from tests.support.oracle_comparison import (
    CASES,
    check_by_hand,
    check_counts,
    raw_options,
    write_source,
)
from tests.support.seeded_records import many_records
from tests.support.strategies import file_sets, options

FUZZ = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
# A query elsewhere takes its time: there are fewer sets, of more files each.
ELSEWHERE = settings(FUZZ, max_examples=2, phases=[Phase.generate], database=None)
LARGE = file_sets(least=5, most=7)


# A run costs more than its data here: each set of files goes through some of the outputs.
SOME_CASES = st.lists(st.sampled_from(sorted(CASES)), min_size=2, max_size=4, unique=True)


# Lines of the input, and rows in several files.
SAMPLED = dict.fromkeys(("filter-expiring", "normalize"), pytest.mark.sample)


@given(file_sets(), options(), SOME_CASES)
@settings(FUZZ, max_examples=20)
def test_stages_by_hand_agree_with_the_oracle(rig, files, wanted, names):
    check_by_hand(rig, files, wanted, names)


@pytest.mark.every_engine("athena", "trino")
@given(LARGE, options(), SOME_CASES)
@ELSEWHERE
def test_stages_by_hand_agree_with_the_oracle_elsewhere(rig, files, wanted, names):
    check_by_hand(rig, files, wanted, names)


@pytest.mark.slow
@given(file_sets(), options(), SOME_CASES)
@settings(FUZZ, max_examples=50)
def test_stages_by_hand_agree_with_the_oracle_on_dozens_of_file_sets(rig, files, wanted, names):
    check_by_hand(rig, files, wanted, names)


@pytest.mark.parametrize("odd", [0, 0.03, pytest.param(0.15, marks=pytest.mark.every_engine)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SAMPLED.get(name, ())) for name in CASES]
)
def test_every_output_agrees_with_the_oracle_on_many_records(rig, name, odd):
    wanted = Options(
        datetime.date(2025, 8, 31),
        include_expired=odd == 0.15,
        strict_states=odd == 0.03,
        include_zero=odd == 0.03,
        moved={"state_missing": "reject", "accreditation_date_invalid": "off"} if odd > 0.1 else {},
        id_pattern="F[0-9]*" if odd == 0.15 else None,
    )
    check_by_hand(rig, many_records(seed=7, lines=800, odd=odd), wanted, [name])


@given(file_sets(), options())
@settings(FUZZ, max_examples=8)
def test_the_workflow_agrees_with_the_oracle(rig, files, wanted):
    check_workflow(rig, files, wanted)


@pytest.mark.sample
@pytest.mark.every_engine("athena", "trino")
@given(LARGE, options())
@ELSEWHERE
def test_the_workflow_agrees_with_the_oracle_elsewhere(rig, files, wanted):
    check_workflow(rig, files, wanted)


def check_workflow(rig, files, wanted):
    """Publish, and compare all that was published with the oracle."""
    oracle = Oracle(files, wanted)
    with tempfile.TemporaryDirectory() as folder:
        root = rig.root_in(Path(folder))
        source = write_source(Path(folder, "in"), files)
        request = RunRequest(
            root.uri,
            (source,),
            rig.engine,
            as_of=wanted.as_of.isoformat(),
            raw_options=RawOptions.from_json(raw_options(wanted)),
            gates=RawGates(max_rejects="100%", max_rejected_files="100%", max_issues="100%"),
        )
        try:
            result = orchestrate(request, Execution.now())
        except GateFailed:
            assert oracle.verdict.lines == len(oracle.verdict.rejected)
            return
        pointer = result.production.document
        published = rig.published(pointer, root)
        stages = {PART.sub("", Path(file["path"]).name): file["stage"] for file in pointer["files"]}
        assert set(stages) == set(published) >= {"extract.parquet", "expiring.ndjson"}
        for name, path in published.items():
            case = CASES[stages[name]]
            found, expected = case.read(str(path)), case.expected(oracle)
            assert rig.in_order(found) == rig.in_order(expected), name
        check_counts(rig, result.to_json(), result.run.uri, oracle)
        figures = result.run.figures.to_json()["feeds"]
        assert {feed: without_zeros(each) for feed, each in figures.items()} == expected_figures(
            oracle
        )
