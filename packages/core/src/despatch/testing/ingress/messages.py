"""Messages that the tests of an ingress send: commands for one parameter, and what is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from despatch.commands import LARGEST_MESSAGE_BYTES, Command

__all__ = ["FAULTY", "FORMS", "LEVEL", "TOO_LARGE", "has_level", "levels", "setting"]

LEVEL: Final = "Kit.level"
"""The parameter that the tests set. Every command sets another value, which tells them apart."""

FORMS: Final[tuple[Mapping[str, Any], ...]] = (
    {"path": LEVEL, "value": 1},
    {"updates": {LEVEL: 2, "Kit.Mühle.⚙": "Größe \N{SNOWMAN} 雪"}},
    {"updates": {LEVEL: 3, "Kit.rest": [None, True, -1.5, {"a": {"b": []}}]}, "at": 12.5},
    {"updates": {LEVEL: 4, "Kit.empty": "", "Kit.large": "x" * 100_000}, "at": 0},
)
"""Commands in every form that any source can hold."""

FAULTY: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "no JSON": b"hello",
    "no object": b"[1, 2]",
    "no command": b'{"hello": "world"}',
    "no value": b'{"path": "Kit.level"}',
    "no UTF-8": b'{"path": "Kit.\xff\xfe", "value": 1}',
    "binary": bytes(range(256)),
    "nested too deep": b'{"path": "Kit.level", "value": ' + b"[" * 5000 + b"]" * 5000 + b"}",
}
"""What is no command, by what is wrong with it."""

TOO_LARGE: Final = b'{"path": "Kit.level", "value": "%s"}' % (b"x" * LARGEST_MESSAGE_BYTES)


def setting(level: int, **fields: Any) -> bytes:
    """A message that sets the parameter."""
    return json.dumps({"path": LEVEL, "value": level, **fields}).encode()


def levels(commands: Iterable[Command]) -> list[Any]:
    """What commands set the parameter to; None for one that does not."""
    return [command.updates.get(LEVEL) for command in commands]


def has_level(level: int) -> Any:
    """Whether a command sets the parameter to a value, as a function of the command."""
    return lambda command: command.updates.get(LEVEL) == level
