"""Cells: what stands in a row, as a snapshot takes it, or why it does not fit."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from despatch.renderings import excerpt
from despatch.snapshot_tables.zones import instant

__all__ = ["Reader", "Row"]


@dataclass(frozen=True, slots=True)
class Reader:
    """How cells are read.

    Attributes:
        zone: Whose times are meant by such without an offset; None refuses them.
        json_values: Whether values that are text are JSON.
    """

    zone: tzinfo | None
    json_values: bool

    def moment(self, place: str, value: Any) -> datetime:
        """A time, of a datetime or of text in ISO 8601.

        Raises:
            ValueError: It is none, or nobody can know of which offset.
        """
        found = value
        if isinstance(value, str):
            try:
                found = datetime.fromisoformat(value)
            except ValueError:
                _refuse(place, "a time in ISO 8601", value)
        if not isinstance(found, datetime):
            _refuse(place, "a time", value)
        if found.utcoffset() is not None:
            return found
        if self.zone is None:
            _refuse(place, "a time with an offset from UTC, or a `time_zone` that it is of", value)
        meant = instant(found, self.zone)
        if meant is None:
            _refuse(place, f"a time that the clocks of {self.zone} show once", value)
        return meant

    def plain(self, place: str, value: Any) -> Any:
        """Plain data, of what a data base's client or a file's reader gives.

        A Decimal is a whole number where it has no decimals, else a float; an interval its
        seconds; a time text in ISO 8601.

        Raises:
            ValueError: There is no plain data that means the same.
        """
        match value:
            case None | bool() | int() | str():
                return value
            case float():
                return value if math.isfinite(value) else _refuse(place, "a finite number", value)
            case Decimal():
                return _number(place, value)
            case timedelta():
                return value.total_seconds()
            case datetime():
                return self.moment(place, value).isoformat()
            case date() | time():
                return value.isoformat()
            case UUID():
                return str(value)
            case list() | tuple():
                return [self.plain(f"{place}[{i}]", each) for i, each in enumerate(value)]
            case Mapping():
                return {str(key): self.plain(f"{place}.{key}", each) for key, each in value.items()}
        _refuse(place, "plain data", value)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        table: The table's name.
        number: Which of its rows it is, from 1.
        cells: Column to what stands there; one that is missing is as one that is None.
        reader: How they are read.
    """

    table: str
    number: int
    cells: Mapping[str, Any]
    reader: Reader

    def fault(self, column: str, expected: str, value: Any) -> ValueError:
        """The error that says what was expected in a cell."""
        return ValueError(_told(self._place(column), expected, value))

    def is_bare(self, *columns: str) -> bool:
        """Whether nothing stands in it but in these columns."""
        return all(value is None or name in columns for name, value in self.cells.items())

    def name(self, column: str) -> str:
        """Text that has to be there."""
        value = self.cells.get(column)
        if not isinstance(value, str):
            raise self.fault(column, "text", value)
        return value

    def key(self, column: str) -> str:
        """Text; of a number or a UUID, as which keys are often kept, what it reads as."""
        value = self.cells.get(column)
        if isinstance(value, int | UUID) and not isinstance(value, bool):
            return str(value)
        return self.name(column)

    def value(self, column: str) -> Any:
        """Plain data; from JSON where values are."""
        value = self.cells.get(column)
        if self.reader.json_values and isinstance(value, str):
            return self._json(column, value)
        return self.reader.plain(self._place(column), value)

    def mapping(self, column: str) -> dict[str, Any]:
        """A mapping, or one as JSON text; empty where there is none."""
        value = self.cells.get(column)
        found = self._json(column, value) if isinstance(value, str) else value
        if not isinstance(found, Mapping | None):
            raise self.fault(column, "a mapping, or one as JSON", value)
        return dict(self.reader.plain(self._place(column), found or {}))

    def others(self, known: Collection[str]) -> dict[str, Any]:
        """What stands in the other columns."""
        return {
            name: self.reader.plain(self._place(name), value)
            for name, value in self.cells.items()
            if name not in known and value is not None
        }

    def flag(self, column: str) -> bool:
        """A boolean, or 1 or 0 where a data base has none; False where nothing stands there."""
        value = self.cells.get(column)
        if value is not None and value not in (True, False):
            raise self.fault(column, "true or false", value)
        return bool(value)

    def whole(self, column: str) -> int:
        """A whole number; 0 where nothing stands there."""
        value = self.number_in(column)
        if value is not None and int(value) != value:
            raise self.fault(column, "a whole number", self.cells[column])
        return int(value or 0)

    def amount(self, column: str) -> float | None:
        """A number of 0 or more, the seconds of an interval included; None where nothing stands."""
        value = self.number_in(column)
        if value is not None and value < 0:
            raise self.fault(column, "0 or more", self.cells[column])
        return None if value is None else float(value)

    def number_in(self, column: str) -> int | float | None:
        """A finite number, the seconds of an interval included; None where nothing stands there."""
        value = self.cells.get(column)
        found = self.reader.plain(self._place(column), value)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.fault(column, "a number", value)
        return found

    def moment(self, column: str, until: datetime) -> datetime | None:
        """A time that is not later than `until`; None where nothing stands there."""
        value = self.cells.get(column)
        if value is None:
            return None
        found = self.reader.moment(self._place(column), value)
        if found > until:
            raise self.fault(column, f"a time not later than {until.isoformat()}", value)
        return found

    def _json(self, column: str, text: str) -> Any:
        try:
            return json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            raise ValueError(f"{self._place(column)}: expected JSON: {error}") from error

    def _place(self, column: str) -> str:
        return f"{self.table}, row {self.number}, column {column}"


def _number(place: str, value: Decimal) -> int | float:
    if not value.is_finite():
        _refuse(place, "a finite number", value)
    has_decimals = int(value.as_tuple().exponent) < 0
    return float(value) if has_decimals else int(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refuse(place: str, expected: str, value: Any) -> NoReturn:
    raise ValueError(_told(place, expected, value))


def _told(place: str, expected: str, value: Any) -> str:
    return f"{place}: expected {expected}, got {'nothing' if value is None else excerpt(value)}"
