"""The first and last day there is, and a day from its text."""

import datetime

day = datetime.date.fromisoformat
FIRST, LAST = day("0001-01-01"), day("9999-12-31")
