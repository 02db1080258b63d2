"""Stage 1: the key figures of each facility."""

from typing import TYPE_CHECKING

from healthpipe.stages.carried import Carried
from healthpipe.stages.view import Preview, Stage, View

if TYPE_CHECKING:
    from healthpipe.stages.options import StageOptions

EXTRACT = View("extract")
SOONEST = View("extract", carries=frozenset({Carried.ALL_ACCREDITATIONS}))


def _choose(options: "StageOptions") -> tuple[View, ...]:
    return (EXTRACT if options.top is None else SOONEST,)


STAGE = Stage(
    name="extract",
    summary="Show the key figures of each facility.",
    example="healthpipe extract data/raw -o facilities.csv",
    next_command="healthpipe filter-expiring",
    takes=("first_accreditation", "only_accredited", "accredited", "top"),
    views=(EXTRACT,),
    choose=_choose,
    preview=Preview("The first facilities"),
)
