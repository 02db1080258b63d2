"""The command that looks whether everything is there that a run needs."""

from typing import Annotated, Any

import typer

from healthpipe.cli.options import option
from healthpipe.cli.shared import OutputSettings
from healthpipe.cli.signature import ATHENA, AWS, MANNER, declare

ProbeOption = Annotated[
    bool,
    option("--probe", help="Also try out on Athena, with tiny queries, what the engine rests on."),
]


def doctor(context: typer.Context, **given: Any) -> None:
    """Look whether everything is there that a run needs, and say how to mend what is not.

    For example: healthpipe doctor --root s3://bucket/prefix --engine athena
    """
    from healthpipe.cli.run_doctor import DoctorTarget, examine

    examine(DoctorTarget.of(given), OutputSettings.of(given), is_probed=given["probe"])


declare(
    doctor,
    ("root", "engine", "sns_topic", *AWS, *ATHENA, *MANNER),
    own={"probe": (ProbeOption, False)},
)
