"""A model that publishes the same every time, so that what should have arrived is known.

Its record number `n`, counted from 0, is `value_of(n)`, an event or, each seventh, telemetry. It
notes in a file of the working directory how far it has come, for whoever finds it killed.
"""

from __future__ import annotations

import itertools
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NOTES = "published.notes"
"""Notes of ``count, wall time in ns``, as two unsigned integers of 8 bytes."""
PER_S = 3
"""How many records are published at each simulated second."""

_NOTE = struct.Struct("<QQ")


def value_of(number: int) -> dict[str, Any]:
    return {"number": number, "half": number / 2, "text": "x" * (number * 7919 % 150)}


def is_event(number: int) -> bool:
    return number % 7 != 6


def publish(env: Any, number: int) -> None:
    """Publish record `number`."""
    if is_event(number):
        env.publish_event(f"case-{number % 13}", value_of(number))
    else:
        env.publish_telemetry("Line.level", value_of(number))


def publish_steadily(env: Any) -> None:
    """`PER_S` records at each simulated second, for ever."""
    env.process(_publish(env, lambda _: None))


def publish_and_note(env: Any) -> None:
    """The same, with notes in the working directory."""
    notes = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    env.process(_publish(env, lambda n: os.write(notes, _NOTE.pack(n, time.time_ns()))))


def _publish(env: Any, note: Callable[[int], object]) -> Iterator[Any]:
    for number in itertools.count():
        publish(env, number)
        if number % PER_S == PER_S - 1:
            note(number + 1)
            yield env.timeout(1)


def read_notes(folder: Path) -> list[tuple[int, int]]:
    """The notes that a model left in its working directory, in order; none where it never ran."""
    path = folder / NOTES
    content = path.read_bytes() if path.exists() else b""
    return list(_NOTE.iter_unpack(content[: len(content) // _NOTE.size * _NOTE.size]))
