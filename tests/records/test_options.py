"""All options of a stage together: their defaults, and their way through a run record."""

import json

from hypothesis import given
from hypothesis import strategies as st

from healthpipe.choices import Accredited, FirstAccreditation, Renewals
from healthpipe.stages.options import RawOptions, SnapshotChoice, StageOptions, Window
from tests.support.days import LAST, day


@given(
    st.builds(
        StageOptions,
        as_of=st.dates(),
        window=st.builds(Window, st.dates(), st.dates()),
        first_accreditation=st.sampled_from(FirstAccreditation),
        accredited=st.sampled_from(Accredited),
        only_accredited=st.booleans(),
        snapshot=st.one_of(
            st.just(SnapshotChoice(newest_only=True)),
            st.builds(SnapshotChoice, until=st.dates() | st.just(LAST)),
        ),
        renewals=st.sampled_from(Renewals),
    )
)
def test_options_come_back_from_a_run_record_as_they_were(chosen):
    assert StageOptions.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


def test_what_a_user_does_not_choose_is_as_the_contract_says():
    assert RawOptions().checked("2025-08-31") == StageOptions(
        as_of=day("2025-08-31"),
        window=Window(day("2025-08-31"), day("2026-02-28")),
        first_accreditation=FirstAccreditation.LISTED,
        accredited=Accredited.CURRENT,
        only_accredited=False,
        snapshot=SnapshotChoice(until=LAST, newest_only=False),
        renewals=Renewals.REPLACE,
    )


def test_options_that_were_written_when_renewals_were_separate_are_read_as_that():
    document = RawOptions().checked("2025-08-31").to_json()
    del document["renewals"]

    assert StageOptions.from_json(document).renewals is Renewals.SEPARATE
