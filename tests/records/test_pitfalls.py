"""What comparable pipelines got wrong, by number, and the tests that show it right here.

Tests lie in the file of their rule. `grep -rnw 15 tests | grep pitfall` finds those of number 15.
"""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PITFALLS = {
    1: "the whole file in memory",
    2: "listings and results cut at 1000",
    3: "one bad line loses the file, or the run",
    4: "rejects without text, line or all reasons",
    5: "a compact array crashes",
    6: "pretty JSON split by lines",
    7: "a wrapper yields nothing",
    8: "a null, a number or a string where a list belongs crashes",
    9: "one bad byte aborts everything; a blank line in a gzip is a reject",
    10: "a table over the bucket's root",
    11: "malformed lines become rows of NULL, or good rows vanish beside them",
    12: "types guessed from a sample",
    13: "a truncated gzip read as complete",
    14: "keys that differ only in case",
    15: "one bad date empties the alert",
    16: "unguarded casts",
    17: "strings compared as dates",
    18: "the first ten characters accepted whatever follows",
    19: "due today is -1 day",
    20: "long expired counted as critical",
    21: "the local time zone decides",
    22: "six months as days",
    23: "[1] of an empty array",
    24: "unnesting multiplies employees",
    25: "unnesting drops facilities",
    26: "a NULL state or id in no bucket",
    27: "a duplicate chosen at random",
    28: "a late file never read, an early one frozen in",
    29: "results read back as input",
    30: "names formatted into SQL",
    31: "more than 100 partitions",
    32: "polling without deadline or pause",
    33: "a timed-out or interrupted query left running",
    34: "a token that is too stable, or none",
    35: "retrying syntax and permission errors",
    36: "a retry dies on a path that exists",
    39: "two runs race",
    40: "names unique to the second only",
    41: "a read error returns an empty list, which overwrites good output",
    42: "exit code 0 when failed",
    43: "a failed alert hides the failure",
    44: "an alert built from absent fields",
    45: "the failure branch ends as succeeded",
    46: "no record of a crashed run",
    47: "a traceback for a missing region, credentials or bucket",
    48: "delete, then write",
    49: "yesterday's rows beside today's",
    50: "an empty result as a blank line, a missing file or a row of NULL",
    51: "a half-written file under its final name",
    52: "inputs of one basename overwrite each other",
    53: "NULL and empty text merged in CSV",
    54: "a file invalid under the format of its suffix",
    55: "chatter on every cron run; silence when it never ran",
    56: "the same alert every five minutes, never a recovered",
    57: "values of records in logs",
    58: "a green run on a tenth of the data",
    59: "wildcard permissions",
    60: "generator output that changes with the day",
    69: "tests as root never meet a permission",
    73: "a home folder that cannot be written",
    78: "no reminder after the date has passed",
}


def test_every_pitfall_of_the_table_has_a_test_that_names_it():
    marked = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        for numbers in re.findall(r"^@pytest\.mark\.pitfall\(([\d, ]+)\)", path.read_text(), re.M)
        for number in numbers.split(",")
    }

    assert marked == set(PITFALLS)
