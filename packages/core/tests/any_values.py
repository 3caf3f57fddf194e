"""Values of every kind that can be published, as hypothesis strategies, and how to compare them."""

from __future__ import annotations

import dataclasses
import math
import zoneinfo
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pydantic
from hypothesis import strategies as st


def same(one: Any, other: Any) -> bool:
    """Equal and of the same type at every depth; NaN is NaN, and a zone is a zone."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(one[a], other[b]) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, set | frozenset):
        return one == other and {*map(type, one)} == {*map(type, other)}
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Decimal):
        return str(one) == str(other)
    if isinstance(one, datetime):
        return one == other and one.utcoffset() == other.utcoffset() and zone(one) == zone(other)
    if isinstance(one, time):
        return one == other and zone(one) == zone(other)
    return bool(one == other)


def zone(moment: datetime | time) -> str | None:
    return getattr(moment.tzinfo, "key", None)


fixed_zones = st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23)).map(
    timezone
)
named_zones = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
).map(zoneinfo.ZoneInfo)
zones = st.none() | fixed_zones | named_zones
texts = st.text(st.characters(exclude_categories=["Cs"]))
datetimes = st.datetimes(timezones=zones)
keys = (
    st.none()
    | st.booleans()
    | st.integers()
    | texts
    | st.binary()
    | st.dates()
    | st.uuids()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
)
leaves = keys | st.floats() | st.decimals(allow_nan=True) | datetimes | st.times(timezones=zones)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys | st.tuples(keys, keys), max_size=4)
    ),
    max_leaves=20,
)


@dataclasses.dataclass
class Crate:
    label: str
    content: Any


class Plain(pydantic.BaseModel):
    """A model that is taken from its fields where its content allows it."""

    label: str
    content: Any


class Loud(Plain):
    """A model that has to be dumped."""

    @pydantic.field_serializer("label")
    def _shout(self, label: str) -> str:
        return f"{label}!"


changing_values = st.recursive(
    leaves | st.binary(max_size=4).map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=2)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(keys, max_size=3)
        | st.builds(Crate, texts, inner)
        | st.builds(Plain, label=texts, content=inner)
        | st.builds(Loud, label=texts, content=inner)
    ),
    max_leaves=12,
)
"""Values with much in them that a model may change afterwards."""


def as_read(value: Any) -> Any:
    """What a value is when it is read again, made anew at every depth."""
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(as_read, value))
    if isinstance(value, set):
        return set(value)
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, Crate | Plain):
        label = f"{value.label}!" if isinstance(value, Loud) else value.label
        return {"label": label, "content": as_read(value.content)}
    return value


def change(value: Any) -> None:
    """Change a value in place at every depth."""
    if isinstance(value, dict):
        for item in value.values():
            change(item)
        value["changed"] = True
    elif isinstance(value, list | tuple):
        for item in value:
            change(item)
        if isinstance(value, list):
            value.append("changed")
    elif isinstance(value, set):
        value.add("changed")
    elif isinstance(value, bytearray):
        value += b"changed"
    elif isinstance(value, Crate | Plain):
        change(value.content)
        value.label = "changed"
        value.content = "changed"
