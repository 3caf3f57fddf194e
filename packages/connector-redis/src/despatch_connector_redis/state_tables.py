"""What lies in hashes, lists and strings, as a snapshot.

What is JSON in them is read as such, and other text is text. Hashes and lists become rows of
`despatch.snapshot_tables`, which says of what does not fit in which table, row and column it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeAlias

from pydantic import ValidationError

from despatch.snapshot_tables import snapshot_of, zone_named
from despatch.snapshots import Snapshot
from despatch_connector_redis.settings import RedisStateSettings

__all__ = ["decoded", "snapshot_from"]

_Row: TypeAlias = dict[str, Any]
_Keys: TypeAlias = str | Mapping[str, str] | None


def decoded(key: str, reply: Any) -> Any:
    """A reply with its bytes as text.

    Raises:
        ValueError: They are no text in UTF-8.
    """
    try:
        if isinstance(reply, dict):
            return {field.decode(): value.decode() for field, value in reply.items()}
        if isinstance(reply, list):
            return [entry.decode() for entry in reply]
        return None if reply is None else reply.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"key {key!r}: expected text in UTF-8: {error.reason}") from error


def snapshot_from(
    settings: RedisStateSettings, texts: Mapping[str, Any], now: datetime
) -> Snapshot:
    """Make a snapshot of what was read.

    Args:
        settings: Which key has what.
        texts: By key a dict, a list or a text; None where there is no such text.
        now: When it was read, by the server's clock.

    Raises:
        ValueError: It is no snapshot; with the key, or with the table, the row and the column.
    """
    if settings.document is not None:
        return _from_document(settings.document, texts[settings.document])
    tables = {
        "parameters": _pairs(texts, settings.parameters, "path", "value"),
        "resources": _objects(texts, settings.resources, "resource"),
        "in_service": _work(texts, settings.in_service),
        "queue": _work(texts, settings.queue, is_reversed=settings.queue_head == "right"),
        "containers": _levels(texts, settings.containers),
        "stores": _items(texts, settings.stores),
        "arrivals": [
            {"name": name, "last": last} for name, last in _hash(texts, settings.arrivals)
        ],
    }
    taken_at, offset = now.isoformat(), None
    if settings.snapshot is not None:
        fields = texts[settings.snapshot]
        if "taken_at" not in fields:
            raise ValueError(f"key {settings.snapshot!r}: expected a field `taken_at`")
        taken_at = fields["taken_at"]
        offset = _number(settings.snapshot, fields.get("calendar_offset"))
    zone = None if settings.time_zone is None else zone_named(settings.time_zone)
    return snapshot_of(tables, taken_at=taken_at, calendar_offset=offset, zone=zone)


def _from_document(key: str, text: str | None) -> Snapshot:
    if text is None:
        raise ValueError(f"key {key!r}: expected a snapshot as JSON, found no such key")
    try:
        return Snapshot.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ")
            for each in error.errors(include_url=False)
        )
        raise ValueError(f"key {key!r}: expected a snapshot as JSON: {told}") from error


def _hash(texts: Mapping[str, Any], key: str | None) -> Iterable[tuple[str, str]]:
    return () if key is None else texts[key].items()


def _pairs(texts: Mapping[str, Any], key: str | None, name: str, value: str) -> list[_Row]:
    return [{name: field, value: _value(text)} for field, text in _hash(texts, key)]


def _objects(texts: Mapping[str, Any], key: str | None, name: str) -> list[_Row]:
    return [
        {name: field, **_object(f"key {key!r}, field {field!r}", text)}
        for field, text in _hash(texts, key)
    ]


def _levels(texts: Mapping[str, Any], key: str | None) -> list[_Row]:
    rows = []
    for container, text in _hash(texts, key):
        level = _value(text)
        rows.append({"container": container, **(level if _is_object(level) else {"level": level})})
    return rows


def _work(texts: Mapping[str, Any], keys: _Keys, *, is_reversed: bool = False) -> list[_Row]:
    """The entries of one list for all resources, or of a list for each."""
    if isinstance(keys, str):
        entries = texts[keys][::-1] if is_reversed else texts[keys]
        return [_object(f"key {keys!r}", entry) for entry in entries]
    rows: list[_Row] = []
    for resource, key in (keys or {}).items():
        # It is there, though nobody may be.
        rows.append({"resource": resource, "key": None})
        for entry in texts[key][::-1] if is_reversed else texts[key]:
            value = _value(entry)
            work = value if _is_object(value) else {"key": entry}
            rows.append({"resource": resource, **work})
    return rows


def _items(texts: Mapping[str, Any], keys: _Keys) -> list[_Row]:
    rows: list[_Row] = []
    for store, items, crowded in _stores(texts, keys):
        rows.append({"store": store, "item": None, "over_capacity": crowded})
        rows += [{"store": store, "item": item} for item in items]
    return rows


def _stores(texts: Mapping[str, Any], keys: _Keys) -> Iterator[tuple[str, Sequence[Any], Any]]:
    """Each store, its items, and whether it is over its capacity."""
    if not isinstance(keys, str):
        for store, key in (keys or {}).items():
            yield store, [_value(entry) for entry in texts[key]], None
        return
    for store, text in _hash(texts, keys):
        found = _value(text)
        whole = found if _is_object(found) else {"items": found}
        items = whole.get("items")
        if not isinstance(items, list):
            _refuse(f"key {keys!r}, field {store!r}", "a list of items as JSON", text)
        yield store, items, whole.get("over_capacity")


def _value(text: str) -> Any:
    """What JSON says, or else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _object(place: str, text: str) -> _Row:
    found = _value(text)
    if not _is_object(found):
        _refuse(place, "an object as JSON", text)
    return dict(found)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _number(key: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        _refuse(f"key {key!r}, field 'calendar_offset'", "a number", text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(place: str, expected: str, text: str) -> NoReturn:
    raise ValueError(f"{place}: expected {expected}, got {text[:60]!r}")
