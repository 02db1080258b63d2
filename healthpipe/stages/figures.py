"""The figures of a run by feed: what its audit judges, and what the next run is compared with.

A feed has the files of one sender, see `healthpipe.ingest.manifest`. The figures are counted from
`records` and `current`; values of records are in none but the dates of accreditations.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import msgspec

from healthpipe.choices import Accredited, FirstAccreditation, Format
from healthpipe.contract import GIVEN_FIELDS
from healthpipe.engines.base import Engine, Query
from healthpipe.ingest.manifest import feed_of
from healthpipe.stages.options import StageOptions
from healthpipe.storage.layout import require_known_version

FIGURES = "figures.json"
FACILITIES = "facilities.parquet"
SCHEMA_VERSION = 2
VALID_UNTIL = "valid_until"
KNOWN_FACILITIES = Query("known_facilities")
# The fields that a run counts, in the order of the columns of sql/figures.sql.
COUNTED_FIELDS = (*GIVEN_FIELDS, VALID_UNTIL)


class FeedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a feed's records.

    `items` are those of the lists of accreditations, of which `objects` are objects, `given_dates`
    have a valid_until and `dates` a valid one. `fields` counts the records that have a field,
    `reasons` those that break a rule. Of current records, `accredited` counts facilities,
    `snapshots` and `expiries` facilities by snapshot date and by the latest date of their
    accreditations, without those that have none.
    """

    records: int = 0
    items: int = 0
    objects: int = 0
    given_dates: int = 0
    dates: int = 0
    accredited: int = 0
    fields: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    snapshots: dict[date, int] = msgspec.field(default_factory=dict)
    expiries: dict[date, int] = msgspec.field(default_factory=dict)

    def __add__(self, other: "FeedFigures") -> "FeedFigures":
        summed: dict[str, Any] = {}
        for name in self.__struct_fields__:
            own, others = getattr(self, name), getattr(other, name)
            is_map = isinstance(own, dict)
            summed[name] = dict(Counter(own) + Counter(others)) if is_map else own + others
        return FeedFigures(**summed)

    @property
    def dated(self) -> int:
        """The facilities that have an accreditation with a valid date."""
        return sum(self.expiries.values())

    def accredited_on(self, day: date) -> int:
        """The facilities with an accreditation that is valid on a day."""
        return sum(count for latest, count in self.expiries.items() if latest >= day)

    def newest_snapshot(self, latest_usable: date) -> date | None:
        """The newest snapshot date, without those after a day; None if there is none."""
        return max((day for day in self.snapshots if day <= latest_usable), default=None)


class FeedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How many facilities of a feed are `added` to the live ones, `gone`, and `kept`.

    One that was live is counted in the feed that its live record came from.
    The others count those of the kept that have another name, state, employee count, number of
    services or dates.
    """

    added: int = 0
    gone: int = 0
    kept: int = 0
    facility_name: int = 0
    state: int = 0
    employee_count: int = 0
    number_of_services: int = 0
    dates: int = 0

    @property
    def live(self) -> int:
        """The live facilities."""
        return self.gone + self.kept

    def __add__(self, other: "FeedChanges") -> "FeedChanges":
        return FeedChanges(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        )


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run: of its current records, and of what is new against `live`.

    `live` is the id of the run that was live when they were counted. `arrived` are the accepted
    records of the files that the live run did not read; None where nothing was live or nobody
    knows what it read. `arrived_current` counts the records of those files that are current.
    `empty_arrivals` are the feeds whose new files all lack an accepted record.
    `changes` is None where there is nothing to compare with. `facilities` are the
    Parquet files for the next run to compare its facilities with, by their names in the run.
    """

    accredited: Accredited
    first_accreditation: FirstAccreditation
    feeds: dict[str, FeedFigures]
    live: str | None = None
    arrived: dict[str, FeedFigures] | None = None
    arrived_current: dict[str, int] = msgspec.field(default_factory=dict)
    empty_arrivals: list[str] = msgspec.field(default_factory=list)
    changes: dict[str, FeedChanges] | None = None
    facilities: list[str] = msgspec.field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The document that a run keeps as figures.json."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return {"schema_version": SCHEMA_VERSION, **document}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Parse the document that `to_json` made. Raises `NewerDocument`.

        The facilities of version 1 lack a column: nothing is compared with them.
        """
        require_known_version(document, SCHEMA_VERSION, "figures.json of the run")
        if document.get("schema_version") != SCHEMA_VERSION:
            document = {**document, "facilities": []}
        return msgspec.convert(document, cls, strict=False)


@dataclass(frozen=True)
class LiveFacilities:
    """The live run as a new one is compared with it.

    `arrived` are the names of files that it has not read, None where nobody knows; `facilities` the
    Parquet files of its facilities, none where they are gone.
    """

    run_id: str
    arrived: Collection[str] | None
    facilities: Sequence[str] = ()


def measure(engine: Engine, options: StageOptions, live: LiveFacilities | None) -> RunFigures:
    """Count the figures of `records` and `current`, and compare `current` with live facilities."""
    current: dict[str, FeedFigures] = defaultdict(FeedFigures)
    arrived: dict[str, FeedFigures] = defaultdict(FeedFigures)
    arrived_current = Counter[str]()
    arrived_files = frozenset((live.arrived if live else None) or ())
    for population, source, counted in _figures_by_file(engine):
        feed = feed_of(source)
        if population == "current":
            current[feed] += counted
            if source in arrived_files:
                arrived_current[feed] += counted.records
        elif source in arrived_files:
            arrived[feed] += counted
    return RunFigures(
        accredited=options.accredited,
        first_accreditation=options.first_accreditation,
        feeds=dict(current),
        live=live.run_id if live else None,
        arrived=dict(arrived) if live and live.arrived is not None else None,
        arrived_current=dict(arrived_current),
        empty_arrivals=sorted({feed_of(name) for name in arrived_files} - arrived.keys()),
        changes=_changes(engine, live.facilities) if live and live.facilities else None,
    )


def _figures_by_file(engine: Engine) -> Iterator[tuple[str, str, FeedFigures]]:
    """The figures of each input file, of its accepted records and of its current ones."""
    by_value: dict[tuple[str, str], dict[str, dict[Any, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for population, source, about, value, records in engine.rows(Query("figures_by_value")):
        if value is not None:
            key = value if about == "reason" else date.fromisoformat(value)
            by_value[population, source][about][key] = records
    for population, source, *counts in engine.rows(Query("figures")):
        values = by_value[population, source]
        records, items, objects, given_dates, dates, accredited, *having = counts
        yield (
            population,
            source,
            FeedFigures(
                records=records,
                items=items,
                objects=objects,
                given_dates=given_dates,
                dates=dates,
                accredited=accredited,
                fields=dict(zip(COUNTED_FIELDS, having, strict=True)),
                reasons=values["reason"],
                snapshots=values["snapshot"],
                expiries=values["expiry"],
            ),
        )


def _changes(engine: Engine, facilities: Sequence[str]) -> dict[str, FeedChanges]:
    """Compare `current` with the facilities of the live run."""
    engine.read_table("live", facilities)
    changes: dict[str, FeedChanges] = defaultdict(FeedChanges)
    for source, *counts in engine.rows(Query("changes")):
        named = zip(FeedChanges.__struct_fields__, counts, strict=True)
        changes[feed_of(source)] += FeedChanges(**dict(named))
    return dict(changes)


def write_facilities(engine: Engine, uri: str, local: Path) -> list[str]:
    """Write what the next run compares its facilities with, as Parquet.

    An engine elsewhere writes to the empty folder `uri` and the files' URIs are returned; one that
    computes on this machine writes the file `local`.
    """
    if parts := engine.unload(KNOWN_FACILITIES, uri, Format.PARQUET):
        return sorted(parts)
    engine.write(KNOWN_FACILITIES, local, Format.PARQUET)
    return []
