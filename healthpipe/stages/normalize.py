"""The records as five flat tables, keyed by facility id and place in the list."""

from healthpipe.stages.carried import Carried
from healthpipe.stages.view import Preview, Stage, View

NESTED = frozenset({Carried.DETAILS, Carried.ALL_ACCREDITATIONS})
TABLES = tuple(
    View(name, carries=NESTED)
    for name in (
        "facilities",
        "facility_services",
        "facility_labs",
        "lab_certifications",
        "facility_accreditations",
    )
)

STAGE = Stage(
    name="normalize",
    summary="Write the records as five flat tables to join, in one folder.",
    example="healthpipe normalize --format csv -o tables",
    next_command="healthpipe describe facilities",
    takes=("strict_states",),
    views=TABLES,
    preview=Preview("The first facilities"),
    is_folder=True,
)
