"""Stage 3: the accredited facilities of each state."""

from healthpipe.choices import Format
from healthpipe.stages.view import Preview, Stage, View

COUNTS = View("state-counts", Format.CSV, is_document=True)

STAGE = Stage(
    name="state-counts",
    summary="Count the accredited facilities of each state.",
    example="healthpipe state-counts --as-of 2026-01-01 --format json -o - | jq .rows",
    next_command="healthpipe orchestrate",
    takes=("accredited", "include_zero", "strict_states"),
    views=(COUNTS,),
    preview=Preview("Facilities by state", limit=None),
    twin=Format.JSON,
)
