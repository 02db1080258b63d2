"""Generate synthetic facility records: the same options give the same bytes everywhere."""
