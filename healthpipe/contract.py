"""The contract of a record: its rules, limits, tiers and states, named in this one place."""

from dataclasses import dataclass
from enum import StrEnum

MAX_LINE_BYTES = 8_000_000
MAX_DEPTH = 200
# The longest list of accreditations in which renewals are looked for.
MAX_COMPARED_ITEMS = 1000
UNKNOWN_STATE = "UNKNOWN"
# The words for nothing, in any case, where a run has no list of its own; and how long one may be.
NULL_WORDS = ("N/A", "NA", "NULL", "NONE", "-", "?")
MAX_NULL_WORD = 20
# The keys of a record. An object that has any of them is a record, and never a wrapper of records.
RECORD_KEYS = (
    "facility_id", "facility_name", "location", "employee_count", "services", "labs",
    "accreditations", "snapshot_date",
)  # fmt: skip
TEXT_SPACE = " \t\r\n"
# The characters that make a spreadsheet evaluate a cell, as OWASP lists them (CSV injection),
# with their full-width forms.
FORMULA_STARTS = "=+@\t\r\n\uff1d\uff0b\uff20\uff0d-"


class Tier(StrEnum):
    """How soon an accreditation expires."""

    EXPIRED = "expired"
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LATER = "later"


# The most days until expiry of a tier; below 0 days is `expired`, above all is `later`.
TIER_DAYS = {Tier.CRITICAL: 30, Tier.HIGH: 60, Tier.MEDIUM: 90}


class Severity(StrEnum):
    """What becomes of a record that breaks a rule: rejected, kept with a warning, or kept."""

    REJECT = "reject"
    WARN = "warn"
    OFF = "off"


class Reason(StrEnum):
    """The name of a broken rule in issues, rejects and summaries."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    FILE_TRUNCATED = "file_truncated"
    FILE_UNREADABLE = "file_unreadable"
    FILE_NOT_JSON = "file_not_json"
    FILE_TAR = "file_tar"
    FILE_ZIP = "file_zip"
    FILE_ENCRYPTED = "file_encrypted"
    FILE_TOO_LARGE_UNPACKED = "file_too_large_unpacked"
    FILE_UTF16 = "file_utf16"
    FILE_UTF32 = "file_utf32"
    FILE_PARQUET = "file_parquet"
    FILE_SQLITE = "file_sqlite"
    FILE_CSV = "file_csv"
    FILE_HTML = "file_html"
    FILE_XML = "file_xml"
    FILE_JSONC = "file_jsonc"
    FILE_GIT_LFS = "file_git_lfs"
    FILE_NOT_TEXT = "file_not_text"
    FACILITY_ID_MISSING = "facility_id_missing"
    FACILITY_ID_INVALID = "facility_id_invalid"
    FACILITY_NAME_MISSING = "facility_name_missing"
    EMPLOYEE_COUNT_INVALID = "employee_count_invalid"
    SERVICES_INVALID = "services_invalid"
    LABS_INVALID = "labs_invalid"
    ACCREDITATIONS_INVALID = "accreditations_invalid"
    ACCREDITATION_INVALID = "accreditation_invalid"
    ACCREDITATION_DATE_MISSING = "accreditation_date_missing"
    ACCREDITATION_DATE_INVALID = "accreditation_date_invalid"
    STATE_MISSING = "state_missing"
    STATE_NOT_RECOGNISED = "state_not_recognised"
    SNAPSHOT_DATE_INVALID = "snapshot_date_invalid"
    ORDER_UNDECIDED = "order_undecided"
    FACILITY_ID_PATTERN = "facility_id_pattern"


# A file that breaks one of these is rejected whole and counts as one line.
WHOLE_FILE = tuple(reason for reason in Reason if reason.startswith("file_"))
# A rule about several records, one of which has to stay: it never rejects.
NEVER_REJECTING = (Reason.ORDER_UNDECIDED,)


@dataclass(frozen=True)
class Rule:
    """A rule of the record: its default severity, its field, what breaks it, and what to do then.

    One that rejects by default cannot be moved to a lesser severity: there would be no record.
    """

    reason: Reason
    severity: Severity
    field: str
    meaning: str
    advice: str


REJECT, WARN = Severity.REJECT, Severity.WARN
MISSING_DATE = "absent, null, blank or a word for nothing"
MISSING = "absent, null, blank, a word for nothing or no scalar"
RULES = (
    Rule(Reason.NOT_UTF8, REJECT, "", "the line is not UTF-8",
         "have the sender export UTF-8"),
    Rule(Reason.NOT_JSON, REJECT, "", "the line is not JSON by RFC 8259",
         "repair the line, or have the sender write JSON by RFC 8259"),
    Rule(Reason.NOT_OBJECT, REJECT, "", "the line is JSON, but not an object",
         "have the sender write one object for each facility"),
    Rule(Reason.TOO_LARGE, REJECT, "", f"the line has more than {MAX_LINE_BYTES:,} bytes",
         "look whether line ends are missing; split the record"),
    Rule(Reason.TOO_DEEP, REJECT, "", f"the line nests deeper than {MAX_DEPTH} levels",
         "have the sender flatten the record"),
    Rule(Reason.FILE_TRUNCATED, REJECT, "", "the packed file breaks off or is damaged",
         "transfer the file again"),
    Rule(Reason.FILE_UNREADABLE, REJECT, "", "the file cannot be opened or read",
         "correct its permissions, or transfer it again"),
    Rule(Reason.FILE_NOT_JSON, REJECT, "", "the list or object that is the file breaks off",
         "transfer the file again"),
    Rule(Reason.FILE_TAR, REJECT, "", "the file is a tar",
         "unpack it (`tar -xf`), or have the sender put the files in a ZIP"),
    Rule(Reason.FILE_ZIP, REJECT, "", "a ZIP, or a workbook, without a JSON file that can be read",
         "have the sender put JSON files in the ZIP, or send them without it"),
    Rule(Reason.FILE_ENCRYPTED, REJECT, "", "the file is encrypted",
         "decrypt it first, or have the sender send it without a password"),
    Rule(Reason.FILE_TOO_LARGE_UNPACKED, REJECT, "",
         "the file exceeds a limit of unpacking: bytes, ratio, layers or members",
         "look what is in it; if it is right, raise that limit with --unpack-limit or in [unpack]"),
    Rule(Reason.FILE_UTF16, REJECT, "", "the file is UTF-16 without a byte order mark",
         "have the sender export UTF-8, or UTF-16 with its mark"),
    Rule(Reason.FILE_UTF32, REJECT, "", "the file is UTF-32",
         "have the sender export UTF-8, or convert it (`iconv -f UTF-32 -t UTF-8`)"),
    Rule(Reason.FILE_PARQUET, REJECT, "", "the file is Parquet",
         "have the sender export JSON, one object for each facility"),
    Rule(Reason.FILE_SQLITE, REJECT, "", "the file is a database of SQLite",
         "have the sender export JSON, one object for each facility"),
    Rule(Reason.FILE_CSV, REJECT, "", "the file is a table in CSV",
         "have the sender export JSON, one object for each facility"),
    Rule(Reason.FILE_HTML, REJECT, "", "the file is a web page, perhaps of a login or an error",
         "open it in a browser to see what was downloaded, then download the data again"),
    Rule(Reason.FILE_XML, REJECT, "", "the file is XML, perhaps an error of the server",
         "look at it; have the sender export JSON"),
    Rule(Reason.FILE_JSONC, REJECT, "", "the file is JSON with comments",
         "have the sender leave out the comments"),
    Rule(Reason.FILE_GIT_LFS, REJECT, "", "the file is a pointer of Git LFS, not the data",
         "fetch the data with `git lfs pull`"),
    Rule(Reason.FILE_NOT_TEXT, REJECT, "", "the file is binary, and of no kind that is read",
         "have the sender export JSON in UTF-8"),
    Rule(Reason.FACILITY_ID_MISSING, REJECT, "facility_id", MISSING,
         "give the facility its id"),
    Rule(Reason.FACILITY_ID_INVALID, REJECT, "facility_id",
         "a number that is not whole as written, or has more than 18 digits",
         "write the id as a text, in quotes"),
    Rule(Reason.FACILITY_NAME_MISSING, WARN, "facility_name", MISSING,
         "give the facility its name"),
    Rule(Reason.EMPLOYEE_COUNT_INVALID, WARN, "employee_count", "not 1 to 18 digits",
         "write a whole number"),
    Rule(Reason.SERVICES_INVALID, WARN, "services", "present and not a list",
         "write a list, empty if there are none"),
    Rule(Reason.LABS_INVALID, WARN, "labs", "present and not a list",
         "write a list, empty if there are none"),
    Rule(Reason.ACCREDITATIONS_INVALID, WARN, "accreditations", "present and not a list",
         "write a list, empty if there are none"),
    Rule(Reason.ACCREDITATION_INVALID, WARN, "accreditations", "the item is not an object",
         "write each accreditation as an object"),
    Rule(Reason.ACCREDITATION_DATE_MISSING, WARN, "valid_until", MISSING_DATE,
         "give the accreditation its last day: it counts for nothing until then"),
    Rule(Reason.ACCREDITATION_DATE_INVALID, WARN, "valid_until", "not a day as YYYY-MM-DD",
         "write a day as YYYY-MM-DD: the accreditation counts for nothing until then"),
    Rule(Reason.STATE_MISSING, WARN, "location.state", MISSING,
         "give the location its state"),
    Rule(Reason.STATE_NOT_RECOGNISED, WARN, "location.state", "no state or territory of the US",
         "write its two letters or its full name"),
    Rule(Reason.SNAPSHOT_DATE_INVALID, WARN, "snapshot_date", "not a day as YYYY-MM-DD",
         "write a day as YYYY-MM-DD, or leave it to the folder's name"),
    Rule(Reason.ORDER_UNDECIDED, WARN, "snapshot_date",
         "two records of the facility have the same snapshot date and source, and differ",
         "write the facility once, or date its records: its bytes chose one"),
    Rule(Reason.FACILITY_ID_PATTERN, WARN, "facility_id", "not as --id-pattern says",
         "correct the id, or the pattern"),
)  # fmt: skip

STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
    "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa",
    "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland",
    "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee",
    "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "DC": "District of Columbia",
    "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands", "PR": "Puerto Rico",
    "VI": "Virgin Islands",
}  # fmt: skip


# Other usual spellings, without dots and commas: those of the Associated Press and older ones.
USUAL_STATES = {
    "AL": "Ala", "AK": "Alas", "AZ": "Ariz", "AR": "Ark", "CA": "Calif|Cal", "CO": "Colo",
    "CT": "Conn", "DE": "Del", "FL": "Fla", "ID": "Ida", "IL": "Ill|Ills", "IN": "Ind",
    "KS": "Kan|Kans", "KY": "Commonwealth of Kentucky",
    "MA": "Mass|Commonwealth of Massachusetts", "MI": "Mich", "MN": "Minn", "MS": "Miss",
    "MT": "Mont", "NE": "Neb|Nebr", "NV": "Nev", "NH": "N H|N Hampshire", "NJ": "N J|N Jersey",
    "NM": "N M|N Mex|N Mexico", "NY": "N Y|N York|New York State", "NC": "N C|N Carolina",
    "ND": "N D|N Dak|N Dakota", "OK": "Okla", "OR": "Ore|Oreg",
    "PA": "Penn|Penna|Commonwealth of Pennsylvania", "RI": "R I", "SC": "S C|S Carolina",
    "SD": "S D|S Dak|S Dakota", "TN": "Tenn", "TX": "Tex", "VA": "Commonwealth of Virginia",
    "WA": "Wash|Washington State", "WV": "W V|W Va|WVa|W Virginia", "WI": "Wis|Wisc",
    "WY": "Wyo", "DC": "D C|Washington DC|Washington D C|Dist of Columbia",
    "MP": "CNMI|Commonwealth of the Northern Mariana Islands",
    "PR": "P R|Commonwealth of Puerto Rico",
    "VI": "USVI|US Virgin Islands|Virgin Islands US|United States Virgin Islands",
}  # fmt: skip

# The accepted spellings of states in upper case, each with its code.
STATE_SPELLINGS = {code: code for code in STATES}
STATE_SPELLINGS |= {name.upper(): code for code, name in STATES.items()}

# The same and the usual ones, as they are without dots and commas.
PLAIN_SPELLINGS = STATE_SPELLINGS | {f"US-{code}": code for code in STATES}
PLAIN_SPELLINGS |= {f"STATE OF {name.upper()}": code for code, name in STATES.items()}
PLAIN_SPELLINGS |= {
    usual.upper(): code for code, names in USUAL_STATES.items() for usual in names.split("|")
}


# The fields of a record, beside its id, of which a run counts the records that have them. Each has
# a bit of `given` in `judged`; valid_until is counted by its dates.
GIVEN_FIELDS = (
    "facility_name", "location", "location.address", "location.city", "location.state",
    "location.zip", "employee_count", "services", "labs", "accreditations", "accreditation_body",
    "accreditation_id", "snapshot_date",
)  # fmt: skip

Constant = str | int | list[str]

# The constants of the SQL files; the patterns mean the same to RE2 (DuckDB) and Java (Athena).
CONSTANTS: dict[str, Constant] = {
    "record_start": rf'^[ \t]*\{{[ \t]*"({"|".join(RECORD_KEYS)})"',
    "max_line_bytes": MAX_LINE_BYTES,
    "max_depth": MAX_DEPTH,
    "max_compared_items": MAX_COMPARED_ITEMS,
    "outer_space": rf"^[{TEXT_SPACE}]+|[{TEXT_SPACE}]+\z",
    "whole_number": r"^[0-9]{1,18}\z",
    "calendar_day": r"^(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}\z",
    "lower_case": "abcdefghijklmnopqrstuvwxyz",
    "upper_case": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "unknown_state": UNKNOWN_STATE,
    "state_spellings": list(STATE_SPELLINGS),
    "state_codes": list(STATE_SPELLINGS.values()),
    "plain_spellings": list(PLAIN_SPELLINGS),
    "plain_codes": list(PLAIN_SPELLINGS.values()),
    "states": list(STATES),
    "formula": rf"^[{FORMULA_STARTS}]",
    "number_as_written": r"^-?[0-9]+\z",
    **{f"given_{field.rpartition('.')[2]}": 1 << bit for bit, field in enumerate(GIVEN_FIELDS)},
    **{tier.value: tier.value for tier in Tier},
    **{f"{tier.value}_days": days for tier, days in TIER_DAYS.items()},
}
