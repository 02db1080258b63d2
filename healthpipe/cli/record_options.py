"""The options about what records mean, declared once."""

from typing import Annotated

from healthpipe.choices import MAX_DAYS, MAX_MONTHS, Accredited, FirstAccreditation, Grain
from healthpipe.cli.options import environment, option

AsOfOption = Annotated[
    str | None,
    option(
        "--as-of",
        metavar="DATE",
        envvar=environment("AS_OF"),
        help="The day that counts as today, YYYY-MM-DD.  (default: today in UTC)",
        show_default=False,
    ),
]
SnapshotOption = Annotated[
    str,
    option(
        "--snapshot",
        metavar="latest|newest|DATE",
        envvar=environment("SNAPSHOT"),
        help="Each facility's latest record; only the newest snapshot; the latest up to a day.",
    ),
]
MonthsOption = Annotated[
    int | None,
    option(
        "--months",
        envvar=environment("MONTHS"),
        min=0,
        max=MAX_MONTHS,
        help="Calendar months ahead that count as expiring.  (default: 6)",
        show_default=False,
    ),
]
DaysOption = Annotated[
    int | None,
    option(
        "--days",
        envvar=environment("DAYS"),
        min=0,
        max=MAX_DAYS,
        help="Days ahead instead of months.",
        show_default=False,
    ),
]
IncludeExpiredOption = Annotated[
    bool,
    option(
        "--include-expired",
        envvar=environment("INCLUDE_EXPIRED"),
        help="Count every earlier date as expiring, too.",
    ),
]
FirstAccreditationOption = Annotated[
    FirstAccreditation,
    option(
        "--first-accreditation",
        envvar=environment("FIRST_ACCREDITATION"),
        help="Which accreditation is the first: the one listed first, or the earliest date.",
    ),
]
OnlyAccreditedOption = Annotated[
    bool,
    option(
        "--only-accredited",
        envvar=environment("ONLY_ACCREDITED"),
        help="Leave out facilities that are not accredited (see --accredited).",
    ),
]
AccreditedOption = Annotated[
    Accredited,
    option(
        "--accredited",
        envvar=environment("ACCREDITED"),
        help="Accredited by an accreditation valid on that day, or by any at all.",
    ),
]
TopOption = Annotated[
    int | None,
    option(
        "--top",
        envvar=environment("TOP"),
        min=1,
        metavar="N",
        help="Only the N facilities with the earliest date that is still to come.",
        show_default=False,
    ),
]
GrainOption = Annotated[
    Grain,
    option(
        "--grain",
        envvar=environment("GRAIN"),
        help="A row for each facility, or for each accreditation that expires.",
    ),
]
AnnotateOption = Annotated[
    bool,
    option(
        "--annotate",
        envvar=environment("ANNOTATE"),
        help="Add the accreditations that expire to each record, under the key expiring.",
    ),
]
IncludeZeroOption = Annotated[
    bool,
    option(
        "--include-zero",
        envvar=environment("INCLUDE_ZERO"),
        help="A row for every state and territory, also without a facility.",
    ),
]
StrictStatesOption = Annotated[
    bool,
    option(
        "--strict-states",
        envvar=environment("STRICT_STATES"),
        help="What is not recognised as a state counts as UNKNOWN.",
    ),
]
RuleOption = Annotated[
    list[str] | None,
    option(
        "--rule",
        metavar="REASON=reject|warn|off",
        envvar=environment("RULE"),
        help="Move a rule; may be repeated. See `healthpipe describe rules`.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool,
    option("--strict", envvar=environment("STRICT"), help="Reject lines for every rule."),
]
IdPatternOption = Annotated[
    str | None,
    option(
        "--id-pattern",
        metavar="REGEX",
        envvar=environment("ID_PATTERN"),
        help="What a whole facility id looks like, for example '[A-Z]{2}-[0-9]{4}'.",
        show_default=False,
    ),
]
