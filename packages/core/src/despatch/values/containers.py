"""Tuples, sets, and dicts whose keys are not all text, as extension types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ormsgpack import Ext, Fragment, packb

from despatch.values.extensions import TAG_DICT, TAG_TUPLE
from despatch.values.reductions import Items, RefusedError
from despatch.values.unpacking import unpack

__all__ = ["pack_items", "pack_pairs"]


def pack_items(container: Items, packed: Callable[[Any], bytes]) -> Ext:
    """A tuple or a set.

    Args:
        container: Its tag and its items.
        packed: Packs an item.

    Raises:
        RefusedError: It is a set, and no set could be made of its items again.
    """
    if container.tag == TAG_TUPLE:
        return Ext(container.tag, packed(list(container.items)))
    payload = packb([Fragment(item) for item in sorted(map(packed, container.items))])
    _require_distinct(unpack(payload), "set")
    return Ext(container.tag, payload)


def pack_pairs(keys: Sequence[Any], values: Sequence[Any]) -> Ext:
    """A dict, of keys and values that are plain msgpack already.

    Raises:
        RefusedError: No dict could be made of the keys again.
    """
    _require_distinct(unpack(packb(keys)), "dict with keys")
    return Ext(TAG_DICT, packb([part for pair in zip(keys, values, strict=True) for part in pair]))


def _require_distinct(unpacked: list[Any], container: str) -> None:
    """Refuse what a set or the keys of a dict could not be made from again."""
    try:
        distinct = len(set(unpacked)) == len(unpacked)
    except TypeError as error:
        raise RefusedError(f"{container} of what cannot be hashed once read again") from error
    if not distinct:
        raise RefusedError(f"{container} of what is equal once read again, such as 1 and an enum")
