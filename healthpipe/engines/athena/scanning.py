"""What queries cost: Athena bills the bytes that they scan."""

from collections.abc import Iterable

from healthpipe.errors import UsageError

# https://aws.amazon.com/athena/pricing/ (SQL queries, us-east-1; other regions differ a little):
# by the terabyte scanned, rounded up to the megabyte, at least 10 MB for each query.
USD_PER_TB = 5.0
MB, TB = 1024**2, 1024**4
LEAST_MB = 10


def estimated_usd(bytes_scanned: Iterable[int]) -> float:
    """What queries that scanned so many bytes each cost, without discounts and free tiers.

    One that scanned nothing counts as well: nobody tells which of them Athena does not bill.
    """
    billed_mb = sum(max(LEAST_MB, -(-scanned // MB)) for scanned in bytes_scanned)
    return billed_mb * MB / TB * USD_PER_TB


def require_within(scanned: int, maximum: int) -> None:
    """Raises `UsageError` when a run has scanned more than it may."""
    if scanned > maximum:
        raise UsageError(
            f"the run has scanned {scanned:,} bytes, more than the {maximum:,} it may",
            "raise --max-bytes-scanned, or give fewer input files",
        )
