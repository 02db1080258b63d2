"""Standard streams that are closed or full."""

import os
import sys


def occupy_standard_streams() -> None:
    """Keep files that are opened from taking the place of a stream that is closed.

    Standard error stays none: what it was to take, such as an alert, was not taken.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            if name != "stderr":
                setattr(sys, name, os.fdopen(number, "w" if name == "stdout" else "r"))


def drop_unwritten() -> None:
    """What cannot be written now cannot be at the very end, where Python would complain of it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
