"""Reading: rows of tables become a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from despatch.snapshot_tables.cells import Reader, Row
from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)

__all__ = ["check_columns", "snapshot_of"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns a table has."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    takes_others: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        return self.needed + self.optional


_WORK: Final = ("priority", "data", "position")
_TABLES: Final = {
    "parameters": _Columns(("path", "value")),
    "resources": _Columns(("resource",), ("down_since", "over_capacity")),
    "in_service": _Columns(
        ("resource", "key"), ("elapsed", "remaining", "since", *_WORK), takes_others=True
    ),
    "queue": _Columns(("resource", "key"), ("joined", *_WORK), takes_others=True),
    "containers": _Columns(("container", "level"), ("over_capacity",)),
    "stores": _Columns(("store",), ("item", "over_capacity", "position"), takes_others=True),
    "arrivals": _Columns(("name", "last")),
}


def snapshot_of(
    tables: Mapping[str, Iterable[Mapping[str, Any]]],
    *,
    taken_at: Any,
    calendar_offset: float | None = None,
    zone: tzinfo | None = None,
    json_values: bool = False,
) -> Snapshot:
    """Make a snapshot of rows.

    Rows are in their order: the first one in a queue is the next one. A column `position` orders
    them otherwise. A row of `in_service`, `queue` or `stores` that names a resource or a store and
    has nothing else, as an outer join gives it, says that nobody and nothing is there.

    Args:
        tables: The rows of `parameters`, `resources`, `in_service`, `queue`, `containers`, `stores`
            and `arrivals`, each a mapping of column to value. A table that is missing is empty. A
            number may be a Decimal, a duration a timedelta, a time text in ISO 8601, `data` a
            mapping or one as JSON. `since` is when the service began; `elapsed` is made of it.
        taken_at: When the system was in this state: a datetime, or text in ISO 8601.
        calendar_offset: Which simulated time that is, in simulated seconds.
        zone: Whose times are meant by such without an offset from UTC; None refuses them.
        json_values: Whether values of parameters and items of stores that are text are JSON.

    Raises:
        ValueError: Something does not fit, with its table, its row (from 1) and its column, what
            was expected and what came.
    """
    if unknown := tables.keys() - _TABLES:
        raise ValueError(f"expected the tables {_listed(_TABLES)}, got {_listed(unknown)}")
    reader = Reader(zone, json_values)
    moment = reader.moment("taken_at", taken_at)
    rows = {name: _rows(name, tables.get(name, ()), reader) for name in _TABLES}
    try:
        return Snapshot(
            taken_at=moment,
            calendar_offset=calendar_offset,
            parameters=_single(rows["parameters"], "path", lambda row: row.value("value")),
            resources=_resources(rows, moment),
            containers=_single(rows["containers"], "container", _container),
            stores=_stores(rows["stores"]),
            arrivals=_single(rows["arrivals"], "name", lambda row: _last(row, moment)),
        )
    except ValidationError as error:
        told = (
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_url=False)
        )
        raise ValueError("; ".join(told)) from error


def check_columns(table: str, columns: Collection[str]) -> None:
    """See that a table has the columns that `snapshot_of` wants, though it may have no rows.

    Raises:
        ValueError: One is missing or unknown, or there is no such table.
    """
    if table not in _TABLES:
        raise ValueError(f"expected one of the tables {_listed(_TABLES)}, got {table}")
    expected = _TABLES[table]
    has_item = "item" in columns
    missing = [name for name in expected.needed if name not in columns]
    strange = [name for name in columns if name not in expected.known]
    if missing or (strange and (has_item or not expected.takes_others)):
        raise ValueError(
            f"expected the columns {_listed(expected.needed)}"
            f"{_perhaps(expected, has_item=has_item)}, got {_listed(columns)}"
        )


def _rows(table: str, given: Iterable[Mapping[str, Any]], reader: Reader) -> list[Row]:
    rows = [Row(table, number, cells, reader) for number, cells in enumerate(given, start=1)]
    # Most tables have the same columns in all rows.
    for row in {tuple(row.cells): row for row in reversed(rows)}.values():
        try:
            check_columns(table, row.cells)
        except ValueError as error:
            raise ValueError(f"{table}, row {row.number}: {error}") from None
    return _in_order(rows)


def _in_order(rows: list[Row]) -> list[Row]:
    if all(row.cells.get("position") is None for row in rows):
        return rows
    placed = []
    for row in rows:
        position = 0 if row.is_bare("resource", "store") else row.number_in("position")
        if position is None:
            raise row.fault("position", "a number, as in other rows", None)
        placed.append((position, row))
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _single(rows: Iterable[Row], column: str, read: Callable[[Row], _T]) -> dict[str, _T]:
    """What is there once for each name."""
    found: dict[str, _T] = {}
    for row in rows:
        name = row.name(column)
        if name in found:
            raise row.fault(column, "each once", name)
        found[name] = read(row)
    return found


@dataclass(slots=True)
class _Resource:
    in_service: list[InService] = field(default_factory=list)
    queue: list[Waiting] = field(default_factory=list)
    down_since: datetime | None = None
    over_capacity: bool = False


def _resources(rows: Mapping[str, list[Row]], until: datetime) -> dict[str, ResourceState]:
    found: dict[str, _Resource] = _single(
        rows["resources"],
        "resource",
        lambda row: _Resource(
            down_since=row.moment("down_since", until), over_capacity=row.flag("over_capacity")
        ),
    )
    for name, row in _members(rows["in_service"], found):
        found[name].in_service.append(_in_service(row, until))
    for name, row in _members(rows["queue"], found):
        found[name].queue.append(_waiting(row, until))
    return {
        name: ResourceState(
            in_service=each.in_service,
            queue=each.queue,
            down_since=each.down_since,
            over_capacity=each.over_capacity,
        )
        for name, each in found.items()
    }


def _members(rows: Iterable[Row], found: dict[str, _Resource]) -> Iterator[tuple[str, Row]]:
    """Rows with somebody in them, and the resource; the resources of all rows are found then."""
    for row in rows:
        name = row.name("resource")
        found.setdefault(name, _Resource())
        if not row.is_bare("resource"):
            yield name, row


def _in_service(row: Row, until: datetime) -> InService:
    elapsed, since = row.amount("elapsed"), row.moment("since", until)
    remaining = row.amount("remaining")
    if since is not None:
        if elapsed is not None:
            raise row.fault("since", "nothing where `elapsed` is", since)
        elapsed = (until - since).total_seconds()
    if elapsed is None and remaining is None:
        raise row.fault("elapsed", "a duration, here or in `remaining`, or a time in `since`", None)
    return InService(
        key=row.key("key"),
        elapsed=elapsed,
        remaining=remaining,
        priority=row.whole("priority"),
        data=_data(row),
    )


def _waiting(row: Row, until: datetime) -> Waiting:
    return Waiting(
        key=row.key("key"),
        joined=row.moment("joined", until),
        priority=row.whole("priority"),
        data=_data(row),
    )


def _data(row: Row) -> dict[str, Any]:
    data = row.mapping("data")
    for name, value in row.others(_TABLES[row.table].known).items():
        if name in data:
            raise row.fault(name, "nothing where `data` has it, too", value)
        data[name] = value
    return data


def _container(row: Row) -> ContainerState:
    level = row.amount("level")
    if level is None:
        raise row.fault("level", "a number", None)
    return ContainerState(level=level, over_capacity=row.flag("over_capacity"))


def _stores(rows: Iterable[Row]) -> dict[str, StoreState]:
    items: dict[str, list[Any]] = {}
    crowded = set()
    for row in rows:
        name = row.name("store")
        inside = items.setdefault(name, [])
        if row.flag("over_capacity"):
            crowded.add(name)
        if row.is_bare("store", "over_capacity"):
            continue
        is_single = "item" in row.cells
        inside.append(row.value("item") if is_single else row.others(_TABLES["stores"].known))
    return {
        name: StoreState(items=inside, over_capacity=name in crowded)
        for name, inside in items.items()
    }


def _last(row: Row, until: datetime) -> datetime:
    last = row.moment("last", until)
    if last is None:
        raise row.fault("last", "a time", None)
    return last


def _listed(names: Iterable[str]) -> str:
    return ", ".join(str(name) for name in names) or "none"


def _perhaps(columns: _Columns, *, has_item: bool) -> str:
    optional = f" and perhaps {_listed(columns.optional)}" if columns.optional else ""
    others = " and others of your own" if columns.takes_others and not has_item else ""
    return f"{optional}{others}"
