"""How DuckDB reads raw lines: options of its reader, the view of lines, and the adapter's macros.

Also what decides which of two ways is faster: how many files there are, and how they begin.
"""

import gzip
import zlib
from collections.abc import Sequence

from healthpipe.contract import MAX_DEPTH, MAX_LINE_BYTES
from healthpipe.engines.base import LineFile

# No JSON holds these raw control characters, so `line` is the whole line; if they are there all
# the same, `rest` is not NULL. One of them alone would cut lines that end in it.
SEPARATOR = "\x1c\x1d\x1e\x1f"
# The longest line that the reader takes; a file with a longer one is landed.
READER_LINE_BYTES = 16_000_000
READER_BUFFER_BYTES = 2 * READER_LINE_BYTES
# DuckDB's queries work on the lines of one file at a time, which is slow for many small files.
# Below this mean size their lines are gathered in a table first.
SMALL_FILE_BYTES = 500_000
FEW_FILES = 50
READER_OPTIONS = f"""
    columns = {{'line': 'VARCHAR', 'rest': 'VARCHAR'}}, delim = '{SEPARATOR}', quote = '',
    escape = '', new_line = '\\n', header = false, auto_detect = false, strict_mode = false,
    null_padding = true, hive_partitioning = false,
    max_line_size = {READER_LINE_BYTES}, buffer_size = {READER_BUFFER_BYTES}
"""
READ_LINES = f"""
    select line, rest, cast(file_index as bigint) + 1 as file_number
    from read_csv(getvariable('paths'), {READER_OPTIONS})
"""
# The files' names and dates come from lists: a join would lose the order of the lines.
LINES = """
    select
        line, rest,
        getvariable('sources')[file_number] as source,
        getvariable('folder_dates')[file_number] as folder_date,
        getvariable('landed')[file_number] as landed
    from lines_read
"""
ADAPTER_VARIABLES = {
    "separator": SEPARATOR,
    "max_line_bytes": MAX_LINE_BYTES,
    "max_depth": MAX_DEPTH,
}
# Each uses only those before it.
MACROS = (
    "json_kind",
    "json_field_kind",
    "json_text_kind",
    "json_plain",
    "json_text",
    "json_outline",
    "json_brackets",
    "json_nesting",
    "json_lenient",
)


def are_scattered(files: Sequence[LineFile]) -> bool:
    """Whether files are so many and small that gathering their lines first is faster."""
    size = sum(file.size for file in files)
    return len(files) > FEW_FILES and size < len(files) * SMALL_FILE_BYTES


SAMPLED_FILES, SAMPLED_BYTES = 4, 1 << 18
# Of lines that are malformed for none of the reasons that are always checked.
FIND_MALFORMED = """
    select
        coalesce(bool_or(contains(line, '\\u')), false),
        coalesce(bool_or(not contains(line, '\\u')), false)
    from (select unnest($1) as line)
    where ends_with(line, '}') and not json_lenient(line) and not json_valid(line)
"""


def first_lines(path: str) -> list[str]:
    """The whole lines in the first `SAMPLED_BYTES` of a file, without bytes that are not UTF-8."""
    open_file = gzip.open if path.lower().endswith(".gz") else open
    try:
        with open_file(path, "rb") as reader:
            return reader.read(SAMPLED_BYTES).decode(errors="ignore").splitlines()[:-1]
    except (OSError, EOFError, zlib.error):  # the engine's reader reports it
        return []
