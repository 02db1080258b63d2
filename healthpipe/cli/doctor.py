"""The command that looks whether everything is there that a run needs."""

from typing import Any

import typer

from healthpipe.cli.declared import ATHENA, AWS, MANNER, declare
from healthpipe.cli.shared import Manner


def doctor(context: typer.Context, **given: Any) -> None:
    """Look whether everything is there that a run needs, and say how to mend what is not.

    For example: healthpipe doctor --root s3://bucket/prefix --engine athena
    """
    from healthpipe.cli.run_doctor import Patient, examine

    examine(Patient.of(given), Manner.of(given))


declare(doctor, ("root", "engine", "sns_topic", *AWS, *ATHENA, *MANNER))
