"""The options about the meaning of records that commands share, as groups."""

from dataclasses import dataclass
from typing import Annotated

from healthpipe.choices import MAX_DAYS, MAX_MONTHS, Accredited, FirstAccreditation, Renewals
from healthpipe.cli.options import counts_option, result_option
from healthpipe.contract import NULL_WORDS


@dataclass(frozen=True)
class RecordOptions:
    """The day of a run, the snapshots that count, and the rules of the records."""

    as_of: Annotated[
        str | None,
        counts_option(
            "--as-of",
            metavar="YYYY-MM-DD",
            help="The day that counts as today.  (default: in UTC)",
        ),
    ] = None
    snapshot: Annotated[
        str,
        counts_option(
            "--snapshot",
            metavar="latest|newest|DATE",
            help="Each facility's latest record, the newest snapshot, or the latest up to a day.",
        ),
    ] = "latest"
    rule: Annotated[
        list[str] | None,
        counts_option(
            "--rule",
            metavar="REASON=reject|warn|off",
            hidden=True,
            help="Move a rule; may be repeated. See `healthpipe describe rules`.",
        ),
    ] = None
    unpack_limit: Annotated[
        list[str] | None,
        counts_option(
            "--unpack-limit",
            metavar="NAME=NUMBER",
            hidden=True,
            help="The most bytes, ratio, layers or members of a packed file; may be repeated.",
        ),
    ] = None
    strict: Annotated[
        bool, counts_option("--strict", hidden=True, help="Reject lines for every rule.")
    ] = False
    id_pattern: Annotated[
        str | None,
        counts_option(
            "--id-pattern",
            metavar="REGEX",
            hidden=True,
            help="What a whole facility id looks like, for example '[A-Z]{2}-[0-9]{4}'.",
        ),
    ] = None
    null_words: Annotated[
        str | None,
        counts_option(
            "--null-words",
            metavar="WORD,...",
            hidden=True,
            help="The words for nothing, in any case; '' for none."
            f"  (default: {','.join(NULL_WORDS)})",
        ),
    ] = None


@dataclass(frozen=True)
class WindowOptions:
    """The days in which an accreditation expires."""

    months: Annotated[
        int | None,
        counts_option(
            "--months",
            metavar="N",
            min=0,
            max=MAX_MONTHS,
            help="Expiring within N calendar months.  (default: 6)",
        ),
    ] = None
    days: Annotated[
        int | None,
        counts_option(
            "--days", metavar="N", min=0, max=MAX_DAYS, help="Expiring within N days instead."
        ),
    ] = None
    include_expired: Annotated[
        bool, counts_option("--include-expired", help="What has expired before, too.")
    ] = False
    renewals: Annotated[
        Renewals,
        counts_option(
            "--renewals",
            hidden=True,
            help="A renewal in the same record replaces what it renews, or is separate from it.",
        ),
    ] = Renewals.REPLACE


@dataclass(frozen=True)
class FirstAccreditationOptions:
    """The first accreditation of a facility, and which facilities are left out."""

    first_accreditation: Annotated[
        FirstAccreditation,
        counts_option(
            "--first-accreditation",
            help="Which accreditation is the first: the one listed first, or the earliest date.",
        ),
    ] = FirstAccreditation.LISTED
    only_accredited: Annotated[
        bool,
        counts_option(
            "--only-accredited",
            help="Leave out facilities that are not accredited (see --accredited).",
        ),
    ] = False


@dataclass(frozen=True)
class AccreditedOptions:
    """What makes a facility accredited."""

    accredited: Annotated[
        Accredited,
        counts_option(
            "--accredited",
            help="Accredited by an accreditation valid on that day, or by any at all.",
        ),
    ] = Accredited.CURRENT


@dataclass(frozen=True)
class StateOptions:
    """What counts as a state."""

    strict_states: Annotated[
        bool,
        counts_option(
            "--strict-states", help="What is not recognised as a state counts as UNKNOWN."
        ),
    ] = False


@dataclass(frozen=True)
class ZeroOptions:
    """Whether states without facilities have a row."""

    include_zero: Annotated[
        bool,
        result_option(
            "--include-zero", help="A row for every state and territory, also without a facility."
        ),
    ] = False
