"""The closed lists of values that a user chooses from, limits and defaults.

Light: the command line imports it.
"""

from enum import StrEnum


class EngineName(StrEnum):
    """The engines that run SQL."""

    DUCKDB = "duckdb"
    ATHENA = "athena"


class Format(StrEnum):
    """The formats of a result."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"


class LogFormat(StrEnum):
    """The formats of messages on standard error."""

    TEXT = "text"
    JSON = "json"


class Drawing(StrEnum):
    """The formats in which a workflow is drawn."""

    TEXT = "text"
    MERMAID = "mermaid"


class FirstAccreditation(StrEnum):
    """Which accreditation of a facility is its first."""

    LISTED = "listed"
    EARLIEST = "earliest"


class Accredited(StrEnum):
    """Which accreditations make a facility accredited."""

    CURRENT = "current"
    ANY = "any"


class Renewals(StrEnum):
    """Whether an accreditation that its record renews still expires: replaced or separate."""

    REPLACE = "replace"
    SEPARATE = "separate"


class Grain(StrEnum):
    """What a row of the expiring is."""

    FACILITY = "facility"
    ACCREDITATION = "accreditation"


class PublishedStage(StrEnum):
    """The stages whose outputs the workflow publishes."""

    EXTRACT = "extract"
    FILTER_EXPIRING = "filter-expiring"
    STATE_COUNTS = "state-counts"


class QuarantineGroup(StrEnum):
    """What the quarantine is counted by."""

    REASON = "reason"
    FILE = "file"


class Gate(StrEnum):
    """The gates of an audit, in the order in which they are judged."""

    REJECTS = "rejects"
    REJECTED_FILES = "rejected_files"
    ACCEPTED_RECORDS = "accepted_records"
    FIELDS = "fields"
    ISSUES = "issues"
    FACILITIES = "facilities"
    STATES = "states"
    ACCREDITED = "accredited"
    DATED = "dated"
    NEWEST_SNAPSHOT = "newest_snapshot"
    CHANGES = "changes"
    SNAPSHOT_AGE = "snapshot_age"
    SNAPSHOT_DATES = "snapshot_dates"


# What --accept-drop accepts.
DROP_GATES = (
    Gate.FACILITIES, Gate.STATES, Gate.ACCREDITED, Gate.DATED, Gate.NEWEST_SNAPSHOT,
)  # fmt: skip
# What --accept takes: without a record there is nothing to publish, and the others never fail.
ACCEPTABLE = (
    Gate.REJECTS, Gate.REJECTED_FILES, Gate.FIELDS, Gate.ISSUES, *DROP_GATES, Gate.SNAPSHOT_AGE,
)  # fmt: skip

MAX_MONTHS = 120
MAX_DAYS = 3660
DEFAULT_MONTHS = 6
# What the workflow publishes: at most so much rejected, at most so much less than what is live.
MAX_REJECTS = "5%"
MAX_REJECTED_FILES = "0"
MAX_DROP = "20%"
# Of the records that could break a rule, those that do.
MAX_ISSUES = "20%"
WARN_ISSUES = "5%"
# How many published runs stay for a rollback, and how many days the folders of runs stay.
KEPT_RUNS = 7
KEPT_DAYS = 30
MAX_KEPT_DAYS = 36_500
