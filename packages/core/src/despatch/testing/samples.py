"""Samples: values of every kind that a model may publish, and records that hold them."""

from __future__ import annotations

import copy
import enum
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime

from despatch.interfaces import Shape
from despatch.records import Event, Record, Telemetry
from despatch.value_types import ValueType, value_type_of
from despatch.values import pack, unpack

__all__ = ["DOUBTFUL", "SAMPLES", "Sample", "records_of", "shapes_of"]

_START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Sample(NamedTuple):
    """A value as a record holds it.

    Attributes:
        value: The value.
        type: What its class declares; None where it is a plain dict or a scalar.
    """

    value: Any
    type: ValueType | None = None


class _Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class _Spot(BaseModel):
    x: float
    label: str


class _Scalars(BaseModel):
    """A field of each scalar kind."""

    is_done: bool
    count: int
    ratio: float
    name: str
    raw: bytes
    price: Decimal = Field(max_digits=12, decimal_places=2)
    part: UUID
    due: date
    shift: time
    at: AwareDatetime
    seen: NaiveDatetime
    took: timedelta
    colour: _Colour
    before: int | None


class _Containers(BaseModel):
    """A field of each kind that holds others."""

    steps: list[int]
    by_machine: dict[str, float]
    tags: set[str]
    pair: tuple[int, str]
    spot: _Spot
    spots: list[_Spot]
    note: int | str


_SCALARS: Final = _Scalars(
    is_done=True,
    count=-17,
    ratio=0.1,
    name="lathe",
    raw=b"\x00\xff\n",
    price=Decimal("12.50"),
    part=UUID(int=5),
    due=date(2026, 2, 28),
    shift=time(6, 30, 0, 5),
    at=_START + timedelta(microseconds=1),
    seen=datetime(2026, 1, 5, 12, 0, 0, 1),
    took=timedelta(days=1, seconds=3.5),
    colour=_Colour.BLUE,
    before=None,
)
_CONTAINERS: Final = _Containers(
    steps=[3, 1, 2],
    by_machine={"lathe": 0.5, "mill": 1.0},
    tags={"urgent", "late", "red"},
    pair=(7, "a"),
    spot=_Spot(x=1.5, label="left"),
    spots=[_Spot(x=-0.5, label=""), _Spot(x=2.0, label="right")],
    note="fine",
)


def _of(model: BaseModel, **changes: Any) -> Sample:
    """What a record holds of a model, with some fields that are otherwise."""
    return Sample(unpack(pack(model)) | changes, value_type_of(type(model)))


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


SAMPLES: Final[Mapping[str, Sample]] = {
    "a field of each scalar kind": _of(_SCALARS),
    "the largest and the smallest": _of(
        _SCALARS,
        count=2**63 - 1,
        ratio=1.7976931348623157e308,
        price=Decimal("-9999999999.99"),
        before=-(2**63),
        due=date(1970, 1, 1),
        took=timedelta(days=-36500, microseconds=1),
    ),
    "text of any script": _of(
        _SCALARS, name='Größe 雪 \N{SNOWMAN} \U0001f3ed \x00 \\ " \n \r \u2028 \u202e'
    ),
    "empty text and bytes": _of(_SCALARS, name="", raw=b""),
    "much text and many bytes": _of(_SCALARS, name="ü" * 200_000, raw=bytes(range(256)) * 1000),
    "a field of each kind that holds others": _of(_CONTAINERS),
    "empty containers": _of(_CONTAINERS, steps=[], by_machine={}, tags=set(), spots=[], note=3),
    "a plain dict": Sample({"status": "made", "count": 3, "ratio": -0.5, "ok": False, "by": None}),
    "a plain dict of others": Sample({"a": {"b": [1, "two", [3.5, {"c": []}]], "Größe": {}}}),
    "an empty dict": Sample({}),
    "a number": Sample(0.855),
    "a whole number": Sample(3),
    "a text": Sample("idle"),
    "true": Sample(True),
    "none": Sample(None),
}
"""What every serializer takes, by what it is: models, plain dicts and scalars, as published."""

DOUBTFUL: Final[Mapping[str, Sample]] = {
    "NaN": Sample({"a": float("nan")}),
    "infinity": Sample({"a": [1.0, float("-inf")]}),
    "a whole number of 70 bits": Sample({"a": 2**70}),
    "a whole number just beyond 64 bits": Sample({"a": -(2**63) - 1}),
    "a whole number too large for its field": _of(_SCALARS, count=2**63),
    "a fraction in the place of a whole number": _of(_CONTAINERS, steps=[1, 2.5]),
    "true in the place of a whole number": _of(_SCALARS, count=True),
    "more digits than a decimal may have": _of(_SCALARS, price=Decimal("12345678901.123")),
    "text in the place of a number": _of(_SCALARS, ratio="a tenth"),
    "a datetime without an offset for one with": _of(_SCALARS, at=datetime(2026, 1, 5)),
    "a number in the place of a dict": _of(_CONTAINERS, spot=5),
    "a key that is no text": Sample({"a": {(1, 2): 3}}),
    "a value of 200 levels": Sample({"a": _nested(200)}),
    "a decimal that is no number": Sample({"a": Decimal("NaN")}),
    "an object that is no data": Sample({"a": object()}),
}
"""What a serializer keeps exactly or refuses, by what it is: a format may have no room for it."""


def records_of(samples: Iterable[Sample], *, first: int = 0) -> list[Record]:
    """Records of samples, events and telemetry by turns, with values of their own."""
    records: list[Record] = []
    for seq, (value, type_) in enumerate(samples, start=first):
        name = None if type_ is None else type_.name
        wall_time = (_START + timedelta(seconds=seq)).isoformat(timespec="microseconds")
        rest = (name, copy.deepcopy(value), seq + 0.5, wall_time, "0198c0", seq, seq)
        if seq % 3 == 2:
            records.append(Telemetry("line_a", "Line_A.lathe.utilization", *rest))
        else:
            records.append(Event("line_a", f"Größe-{seq}", *rest))
    return records


def shapes_of(samples: Iterable[Sample]) -> list[Shape]:
    """What a run prepares a serializer for, before it encodes records of these samples."""
    types = {None if each.type is None else each.type.name: each.type for each in samples}
    streams: tuple[Literal["event", "telemetry"], ...] = "event", "telemetry"
    return [Shape(stream, type_) for stream in streams for type_ in types.values()]
