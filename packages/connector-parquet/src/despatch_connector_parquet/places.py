"""Places: in which folder a record's file lies, and to which data set it belongs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from despatch.records import Event, Record
from despatch.templates import Template
from despatch_connector_parquet.datasets import StreamType

__all__ = ["NULL_PARTITION", "Place", "Places", "escaped", "file_name", "schema_name"]

NULL_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"
"""What Hive calls the partition of an empty value."""

_MOST_CACHED: Final = 4096
_LONGEST_VALUE: Final = 120
_LONGEST_NAME: Final = 180
_ANY: Final = "\0any"
_EVENT: Final = attrgetter("__class__", "sim", "type", "run_id")
_EVENT_BY_KEY: Final = attrgetter("__class__", "sim", "type", "run_id", "key")
_TELEMETRY_BY_PATH: Final = attrgetter("__class__", "sim", "type", "run_id", "path_id")


class Place(NamedTuple):
    """Where a file lies.

    Attributes:
        folder: Below the sink's root, with ``/``; empty for the root itself.
        data_set: The same, with ``*`` for what is a partition of one data set.
        stream_type: What the records are.
    """

    folder: str
    data_set: str
    stream_type: StreamType


class Places:
    """Sends records to their places, by a template."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._cache: dict[Any, Place] = {}
        self._by_key = "{key}" in template.text or "{path}" in template.text

    def of(self, record: Record) -> Place:
        """The place of one record."""
        traits = self._traits(record)
        place = self._cache.get(traits)
        if place is None:
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            place = self._cache[traits] = self._find(record)
        return place

    def group(self, records: Sequence[Record]) -> Mapping[Place, Sequence[int]]:
        """The indexes of records by their places, in order."""
        if not self._by_key and len(set(map(_EVENT, records))) == 1:
            return {self.of(records[0]): range(len(records))}
        groups: dict[Place, list[int]] = {}
        for index, record in enumerate(records):
            groups.setdefault(self.of(record), []).append(index)
        return groups

    def _traits(self, record: Record) -> Any:
        if not self._by_key:
            return _EVENT(record)
        return _EVENT_BY_KEY(record) if type(record) is Event else _TELEMETRY_BY_PATH(record)

    def _find(self, record: Record) -> Place:
        name = "key" if isinstance(record, Event) else "path_id"
        any_of_them = msgspec.structs.replace(record, run_id=_ANY, **{name: _ANY})
        return Place(
            _seen(self._template.render(record, escape=escaped)),
            _seen(self._template.render(any_of_them, escape=escaped)),
            record.stream_type,
        )


def escaped(value: str) -> str:
    """A value as a part of a folder's name, as Hive escapes it; readers undo that.

    What could lead out of the folder, begin a new one or end a partition's name is
    percent-encoded, and so is all but ASCII's letters and digits and ``-_.~+,@`` and space.
    An empty value is `NULL_PARTITION`.
    """
    if value == _ANY:
        return "*"
    name = quote(value, safe="-_.~+,@ ", errors="surrogatepass")
    if len(name) > _LONGEST_VALUE:
        digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
        name = f"{re.sub('%.?$', '', name[:_LONGEST_VALUE])}~{digest}"
    return name or NULL_PARTITION


def schema_name(place: Place) -> str:
    """The name of the file that keeps a data set's schema."""
    name = quote(place.data_set, safe=" =-_.~+,@") or "root"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(place.data_set.encode()).hexdigest()[:16]
        name = f"{re.sub('%.?$', '', name[:_LONGEST_NAME])}~{digest}"
    return f"{_plural(place.stream_type)}-{name}.json"


def file_name(place: Place, identity: bytes, salt: int, extension: str) -> str:
    """The name of a file of records, such as ``events_0f3c9a12.parquet``.

    Args:
        place: Where it will lie.
        identity: What names its content: equal for a batch that comes again.
        salt: Counts up where the name is taken by other records.
        extension: How it ends.
    """
    text = f"{place.folder}\0{place.data_set}\0{place.stream_type}\0{salt}\0".encode()
    digest = hashlib.blake2b(text + identity, digest_size=4).hexdigest()
    return f"{_plural(place.stream_type)}_{digest}{extension}"


def _plural(stream_type: StreamType) -> str:
    return "events" if stream_type == "event" else stream_type


def _seen(folder: str) -> str:
    """A folder whose parts readers look into: they pass over names with a `_` or `.` in front."""
    parts = folder.split("/") if folder else []
    return "/".join(f"%{ord(part[0]):02X}{part[1:]}" if part[0] in "_." else part for part in parts)
