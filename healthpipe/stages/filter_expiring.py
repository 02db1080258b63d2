"""Stage 2: what expires in the window, as records or as single accreditations."""

from typing import TYPE_CHECKING

from healthpipe.choices import Format, Grain
from healthpipe.stages.carried import Carried
from healthpipe.stages.view import Preview, Stage, View

if TYPE_CHECKING:
    from healthpipe.stages.options import StageOptions

LAPSING = "lapsing"
ITS_ACCREDITATIONS = frozenset({Carried.EXPIRING_ACCREDITATIONS})

RECORDS = View("expiring", Format.NDJSON, frozenset({Carried.EXPIRING_LINES}), has_records=True)
ANNOTATED = View(
    "expiring-annotated",
    Format.NDJSON,
    ITS_ACCREDITATIONS | {Carried.EXPIRING_LINES},
    reads=(LAPSING,),
    has_records=True,
)
ACCREDITATIONS = View("expiring-accreditations", Format.CSV, ITS_ACCREDITATIONS, (LAPSING,))


def _choose(options: "StageOptions") -> tuple[View, ...]:
    if options.grain is Grain.ACCREDITATION:
        return (ACCREDITATIONS,)
    return (ANNOTATED if options.annotate else RECORDS,)


STAGE = Stage(
    name="filter-expiring",
    summary="Keep the records with an accreditation that expires soon, as they came.",
    example="healthpipe filter-expiring --days 90 -o - | jq .facility_name",
    next_command="healthpipe state-counts",
    takes=("months", "days", "include_expired", "grain", "annotate", "strict_states"),
    views=(RECORDS, ANNOTATED, ACCREDITATIONS),
    choose=_choose,
    preview=Preview("The soonest to expire", query="expiring_soonest"),
    facts={"already expired": "already_expired"},
)
