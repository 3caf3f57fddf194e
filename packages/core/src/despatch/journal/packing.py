"""Packing entries: their bytes in a journal, and what is wrong with those that have none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ormsgpack import Fragment

from despatch.errors import UnencodableError
from despatch.journal.format import MAX_ENTRY_BYTES
from despatch.values import OPTIONS, Hook, default, pack, packb

__all__ = ["pack_entry", "pack_otherwise", "too_long"]


def pack_entry(entry: list[Any], fields: Sequence[str] = (), hook: Hook = default) -> bytes:
    """An entry as its bytes in a journal.

    Args:
        entry: The entry.
        fields: What its items are called, for errors.
        hook: As for `JournalWriter.append`.

    Raises:
        UnencodableError: Something in it cannot be packed, or it is too long.
    """
    try:
        packed = packb(entry, hook, OPTIONS)
    except TypeError as error:
        packed = pack_otherwise(entry, hook, fields, error)
    if len(packed) > MAX_ENTRY_BYTES:
        raise too_long(packed)
    return packed


def pack_otherwise(entry: Any, hook: Hook, fields: Sequence[str], error: TypeError) -> bytes:
    """Pack item by item, as the default hook would, so that what cannot be packed is named."""
    if hook is not default:
        raise UnencodableError(f"entry: {error}") from error
    named = fields[: len(entry)]
    unnamed = (f"entry[{index}]" for index in range(len(named), len(entry)))
    parts = zip(entry, chain(named, unnamed), strict=True)
    return packb([Fragment(pack(part, name)) for part, name in parts])


def too_long(packed: bytes | bytearray) -> UnencodableError:
    """What is wrong with an entry of more than `MAX_ENTRY_BYTES`."""
    return UnencodableError(f"entry of {len(packed)} bytes; {MAX_ENTRY_BYTES} are taken")
