"""When the work of renewal falls due: accreditations that lapse, by month and accrediting body."""

from healthpipe.choices import Format
from healthpipe.stages.filter_expiring import ITS_ACCREDITATIONS, LAPSING
from healthpipe.stages.view import Preview, Stage, View

STAGE = Stage(
    name="expiry-calendar",
    summary="Count the accreditations that expire in each month, by accrediting body.",
    example="healthpipe expiry-calendar --months 24 -o calendar.csv",
    next_command="healthpipe filter-expiring --grain accreditation",
    takes=("months", "days", "include_expired"),
    views=(View("expiry-calendar", Format.CSV, ITS_ACCREDITATIONS, (LAPSING,)),),
    preview=Preview("Accreditations by month", limit=None),
)
