"""The slow way: a value that `ormsgpack` does not take is walked, and its leaf named."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ormsgpack import Ext, packb

from despatch.errors import UnencodableError
from despatch.values.containers import pack_items, pack_pairs
from despatch.values.extensions import TAG_TUPLE
from despatch.values.reductions import Items, RefusedError, reductions

__all__ = ["pack_walking"]

# The walk is recursive, and may start deep in a model's own stack.
_MAX_DEPTH = 128


def pack_walking(value: object, where: str) -> bytes:
    """Pack a value step by step.

    Args:
        value: The value.
        where: What it is called in the error.

    Raises:
        UnencodableError: It cannot be packed; the message begins with the place in it.
    """
    try:
        return packb(_plain(value, where, ()))
    except RecursionError as error:
        raise UnencodableError(f"{where}: nested too deep for what the stack has left") from error


def _plain(obj: object, where: str, outer: tuple[int, ...]) -> Any:
    """What `obj` is in terms of msgpack alone; `outer` has the ids of what it is in."""
    kind = type(obj)
    if obj is None or kind is bool or kind is float or kind is bytes:
        return obj
    if isinstance(obj, str) and kind is str:
        return _text(obj, where)
    if id(obj) in outer:
        raise UnencodableError(f"{where}: contains itself")
    if len(outer) >= _MAX_DEPTH:
        raise UnencodableError(f"{where}: nested more than {_MAX_DEPTH} levels deep")
    outer = (*outer, id(obj))
    if isinstance(obj, dict) and kind is dict:
        return _plain_dict(obj, where, outer)
    if isinstance(obj, list) and kind is list:
        return [_plain(item, f"{where}[{index}]", outer) for index, item in enumerate(obj)]
    return _plain_other(obj, where, outer)


def _plain_other(obj: Any, where: str, outer: tuple[int, ...]) -> Any:
    try:
        reduced = reductions[type(obj)](obj)
    except RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error
    except Exception as error:  # a model's own code: whatever it raises is the reason
        raise UnencodableError(f"{where}: {_failure_of(obj, error)}") from error
    if isinstance(reduced, Items):
        return _plain_items(reduced, where, outer)
    if isinstance(reduced, Ext) or type(reduced) is int:
        return reduced
    return _plain(reduced, where, outer)


def _failure_of(obj: object, error: Exception) -> str:
    """What a model's own code raised, as text that can be packed in its turn."""
    said = traceback.format_exception_only(error)[-1].strip()
    readable = said.encode(errors="backslashreplace").decode()
    return f"{type(obj).__qualname__} raised {readable}"


def _plain_items(container: Items, where: str, outer: tuple[int, ...]) -> Ext:
    is_ordered = container.tag == TAG_TUPLE
    items = [
        _plain(item, f"{where}[{index if is_ordered else '*'}]", outer)
        for index, item in enumerate(container.items)
    ]
    try:
        return pack_items(Items(container.tag, items), packb)
    except RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error


def _plain_dict(obj: Mapping[Any, Any], where: str, outer: tuple[int, ...]) -> Any:
    keys = [_plain(key, f"{where}: key {_shown(key)}", outer) for key in obj]
    values = [_plain(value, _member(where, key), outer) for key, value in obj.items()]
    if all(type(key) is str for key in keys) and len(set(keys)) == len(keys):
        return dict(zip(keys, values, strict=True))
    try:
        return pack_pairs(keys, values)
    except RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error


def _member(where: str, key: object) -> str:
    is_name = type(key) is str and key.isidentifier()
    return f"{where}.{key}" if is_name else f"{where}[{_shown(key)}]"


def _shown(key: object) -> str:
    """A key in a path; only builtins are trusted with a `repr` that is short and works."""
    return repr(key) if type(key) in (str, int, float, bool) else f"<{type(key).__qualname__}>"


def _text(obj: str, where: str) -> str:
    try:
        obj.encode()
    except UnicodeEncodeError as error:
        raise UnencodableError(f"{where}: text with a lone surrogate") from error
    return obj
