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


MAX_MONTHS = 120
MAX_DAYS = 3660
DEFAULT_MONTHS = 6
# What the workflow publishes: at most so much rejected, at most so much less than what is live.
MAX_REJECTS = "5%"
MAX_REJECTED_FILES = "0"
MAX_DROP = "20%"
# How many published runs stay for a rollback, and how many days the folders of runs stay.
KEPT_RUNS = 7
KEPT_DAYS = 30
MAX_KEPT_DAYS = 36_500
