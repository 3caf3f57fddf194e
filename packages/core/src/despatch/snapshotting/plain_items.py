"""Plain items: what is in a store, as plain data."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import BaseModel

from despatch.errors import StateError
from despatch.renderings import excerpt

__all__ = ["plain_item"]


def plain_item(item: Any, place: str) -> Any:
    """An item as JSON knows it.

    Dataclasses, pydantic models, msgspec structs and attrs classes are mappings of their fields.
    A tuple (SimPy's `PriorityItem` is one) or a set is a list, a member of an enum its value, a
    time, a UUID or a Decimal its text.

    Args:
        item: The item.
        place: Where it is in the snapshot, for a message.

    Raises:
        StateError: It, or something in it, cannot be said as plain data.
    """
    kind = type(item)
    if kind is str or kind is int or kind is float:
        return item
    try:
        return _with_lists(msgspec.to_builtins(item, str_keys=True, enc_hook=_fields_of))
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(
            f"{place}: {excerpt(item)} cannot be said as plain data ({error}): make its class a "
            "dataclass or a pydantic model of plain fields, or have the store hold its key"
        ) from error


def _fields_of(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"a {type(value).__qualname__} is none")


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, list | tuple) else value
