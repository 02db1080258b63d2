"""A look at how files begin, for the embedded engine to choose the quicker way through them."""

import gzip
import zlib

SAMPLED_FILES, SAMPLED_BYTES = 4, 1 << 18
# Of those that are malformed for none of the reasons that are always looked at.
FIND_MALFORMED = """
    select
        coalesce(bool_or(contains(line, '\\u')), false),
        coalesce(bool_or(not contains(line, '\\u')), false)
    from (select unnest($1) as line)
    where ends_with(line, '}') and not json_lenient(line) and not json_valid(line)
"""


def first_lines(path: str) -> list[str]:
    """The first lines of a file, as far as they are text."""
    open_file = gzip.open if path.lower().endswith(".gz") else open
    try:
        with open_file(path, "rb") as reader:
            return reader.read(SAMPLED_BYTES).decode(errors="ignore").splitlines()[:-1]
    except (OSError, EOFError, zlib.error):  # what that means is for the engine's reader to say
        return []
