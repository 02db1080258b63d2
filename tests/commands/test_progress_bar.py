"""Nothing but the result is on standard output, whatever runs this package."""

import subprocess
import sys

QUERY = """
from pathlib import Path
from healthpipe.engines.database import connect
connection = connect(Path())
# Drawn at once instead of after two seconds.
connection.execute("set progress_bar_time = 0")
connection.execute("select count(*) from range(100000000) numbers(n) where sqrt(n) < 5").fetchall()
"""


def test_a_query_draws_no_bar_where_python_runs_no_file(tmp_path):
    command = [sys.executable, "-c", QUERY]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    assert (outcome.stdout, outcome.stderr) == (b"", b"")
