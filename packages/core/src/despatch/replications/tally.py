"""Tally: takes the place of a journal where only what it comes to is wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec

from despatch.entries import ENTRY_FIELDS, EVENT, TELEMETRY, UNENCODABLE_EVENT, WALL_KINDS, Entry
from despatch.journal import pack_entry
from despatch.value_types import ValueType
from despatch.values import Hook, default
from despatch.values.numbers import finite_number

__all__ = ["UNTYPED", "Tally"]

UNTYPED: Final = "untyped"
"""What stands for the type of values that have none, as in templates."""

_CHUNK_BYTES: Final = 64 * 1024


class Tally:
    """Counts what is published, and makes a digest of it.

    What depends on wall time is left out of all of it, as in a replay.

    Args:
        type_names: The names of the types that are numbered already, from 1.

    Attributes:
        records: How many records were published.
        events: How many events there were, by the name of their value's type.
        telemetry: The last value of each telemetry that is a number, by path.
    """

    def __init__(self, type_names: Iterable[str] = ()) -> None:
        self.records = 0
        self.telemetry: dict[str, float] = {}
        self._counts: Counter[int] = Counter()
        self._type_names = [UNTYPED, *type_names]
        self._digest = sha256()
        self._chunk = bytearray()

    @property
    def events(self) -> dict[str, int]:
        """How many events there were, by type."""
        return {self._type_names[number]: count for number, count in sorted(self._counts.items())}

    def append(self, entry: Entry, hook: Hook = default) -> int:
        """Take a record; as a run's journal does, it raises `UnencodableError`."""
        packed = pack_entry(entry, ENTRY_FIELDS, hook)
        kind, _, name, type_id, value = entry
        if kind in WALL_KINDS:
            return self.records
        self._take(packed)
        if kind in (EVENT, UNENCODABLE_EVENT):
            self._counts[type_id] += 1
        elif kind == TELEMETRY and (number := finite_number(value)) is not None:
            self.telemetry[name] = number
        self.records += 1
        return self.records - 1

    def add_type(self, value_type: ValueType) -> int:
        """Number a type, as a run's journal does."""
        self._take(msgspec.msgpack.encode(value_type))
        self._type_names.append(value_type.name)
        return len(self._type_names) - 1

    def digest(self) -> str:
        """The SHA-256 of all records and their types so far, as hexadecimal digits."""
        self._digest.update(self._chunk)
        self._chunk.clear()
        return self._digest.hexdigest()

    def _take(self, packed: bytes) -> None:
        self._chunk += packed
        if len(self._chunk) >= _CHUNK_BYTES:
            self._digest.update(self._chunk)
            self._chunk.clear()
