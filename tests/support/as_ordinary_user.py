"""Run the command line as another user: `python -m tests.support.as_ordinary_user UID ARGUMENT...`.

Everything is loaded before, because that user may not reach Python's own files.
"""

import importlib
import os
import pkgutil
import sys

import healthpipe

OTHERS = (
    "duckdb",
    "pydantic.main",
    "pydantic.type_adapter",
    "sqlglot.dialects.athena",
    "sqlglot.dialects.duckdb",
    "rich.console",
    "rich.progress",
    "sysconfig",
    "fractions",
    "getpass",
)


def main() -> None:
    """Load the package, become the user, run the command."""
    names = [each.name for each in pkgutil.walk_packages(healthpipe.__path__, "healthpipe.")]
    for name in (*names, *OTHERS):
        if name not in ("healthpipe.__main__", "healthpipe.workflow.lambda_handler"):
            importlib.import_module(name)
    from healthpipe.cli.app import run

    uid = int(sys.argv[1])
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    sys.argv[:2] = ["healthpipe"]
    run()


if __name__ == "__main__":
    main()
