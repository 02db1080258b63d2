"""Asking AWS for what may not be there, or may not be looked at."""

from collections.abc import Callable, Container
from typing import TypeVar

from healthpipe.aws.errors import Kind, failures_told, kind_of

MISSING = frozenset({Kind.NOT_FOUND, Kind.NO_BUCKET})
DENIED = frozenset({Kind.DENIED})

Answer = TypeVar("Answer")


def asked(
    action: str, resource: str, call: Callable[[], Answer], unless: Container[Kind] = MISSING
) -> Answer | None:
    """What a call answers; None where it fails as `unless` says. Other failures are raised as
    `failures_told` does.
    """
    from botocore.exceptions import ClientError

    with failures_told(action, resource):
        try:
            return call()
        except ClientError as error:
            if kind_of(error) not in unless:
                raise
            return None
