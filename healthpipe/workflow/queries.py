"""The queries that a run has started elsewhere, as notes that somebody else can end and sum."""

from typing import Any

QUERIES = "queries"
STARTED = "STARTED"  # until it is known how a query ended

Notes = dict[str, Any]


def noted(notes: Notes) -> list[dict[str, Any]]:
    """The queries that notes tell of, each with id, token, state and bytes_scanned."""
    return list(notes.get(QUERIES, ()))


def with_started(notes: Notes, query_id: str, token: str) -> list[dict[str, Any]]:
    """The same and one that was started, unless it is known from an earlier call."""
    known = noted(notes)
    if any(query["id"] == query_id for query in known):
        return known
    return [*known, {"id": query_id, "token": token, "state": STARTED, "bytes_scanned": 0}]


def with_ended(notes: Notes, query_id: str, state: str, bytes_scanned: int) -> list[dict[str, Any]]:
    """The same with the end of one."""
    end = {"state": state, "bytes_scanned": bytes_scanned}
    return [query | end if query["id"] == query_id else query for query in noted(notes)]


def unended(notes: Notes) -> list[str]:
    """The ids of the queries of which nobody has seen the end."""
    return [query["id"] for query in noted(notes) if query["state"] == STARTED]


def scanned(notes: Notes) -> int:
    """The bytes that the queries have scanned, as far as their end was seen."""
    return sum(query["bytes_scanned"] for query in noted(notes))


def shown(notes: Notes) -> list[dict[str, Any]]:
    """The queries as the documents of commands show them."""
    return [{"id": query["id"], "bytes_scanned": query["bytes_scanned"]} for query in noted(notes)]
