"""Differences: where a replay is not what was recorded, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from despatch.entries import STREAM_TYPES, UNENCODABLE_KINDS, Entry
from despatch.value_types import ValueType

__all__ = ["Difference", "Verdict", "describe_outcome", "describe_record", "first_inequality"]

LONGEST: Final = 1000
"""So many characters of a value are shown at the most."""


class Difference(msgspec.Struct, kw_only=True, frozen=True):
    """The first place where a replay is not what was recorded.

    Attributes:
        what: What differs: a record, the outcome of a command or update, the moment at which a
            command came, the type of values, or how the run ended.
        position: Where in its journal, counted from 0; None where it is in none.
        sim_time: Simulated time there, as recorded or, where nothing was, as replayed.
        recorded: What was recorded; None where there is nothing.
        replayed: What the replay had instead; None where there is nothing.
        where: Which part of it, such as ``value.parts[3]``; empty where it is all of it.
    """

    what: Literal["record", "outcome", "command", "type", "end"]
    position: int | None = None
    sim_time: float | None = None
    recorded: str | None = None
    replayed: str | None = None
    where: str = ""

    def __str__(self) -> str:
        place = self.what if self.position is None else f"{self.what} {self.position:,}"
        time = "" if self.sim_time is None else f", at simulated time {self.sim_time!r}"
        lines = [f"the first difference is {place}{time}"]
        if self.where:
            lines[0] += f", in {self.where}"
        lines.append(f"  recorded  {self.recorded or 'nothing'}")
        lines.append(f"  replayed  {self.replayed or 'nothing'}")
        return "\n".join(lines)


class Verdict:
    """Whether a replay is what was recorded, as far as it has been compared.

    Attributes:
        difference: The first difference, once there is one.
    """

    def __init__(self) -> None:
        self.difference: Difference | None = None

    def differ(self, difference: Difference) -> None:
        """Note a difference, unless there was one before."""
        if self.difference is None:
            self.difference = difference


def describe_record(entry: Entry, types: Mapping[int, ValueType]) -> str:
    """A record as a person reads it; values as Python writes them, so that 1 and 1.0 differ."""
    kind, sim_time, name, type_id, value = entry
    value_type = types.get(type_id)
    typed = "" if value_type is None else f" {value_type.name}"
    shown = f"cannot be encoded: {value}" if kind in UNENCODABLE_KINDS else _shown(value)
    return f"{STREAM_TYPES[kind]} {name}{typed} at {sim_time!r}: {shown}"


def describe_outcome(outcome: Mapping[str, Any]) -> str:
    """What became of a command or an update, as a person reads it."""
    named = "" if outcome.get("id") is None else f" {outcome['id']}"
    head = f"{outcome['type']}{named} of {outcome.get('source') or 'nobody'}"
    at = f" at {outcome.get('sim_time')!r}"
    if outcome["type"] == "dry_run":
        return f"{head}{at}: {describe_outcome(outcome['would_be'])}"
    if outcome["type"] == "change":
        changes = ", ".join(
            f"{each['path']} from {_shown(each['old'])} to {_shown(each['new'])}"
            for each in outcome["updates"]
        )
        return f"{head}{at}: {changes}"
    rest = outcome.get("reason") or f"{_shown(outcome.get('updates'))} for {outcome.get('at')!r}"
    return f"{head}{at}: {rest}"


def first_inequality(recorded: Any, replayed: Any, where: str) -> str:
    """The name of the first part in which two values differ, types included."""
    if type(recorded) is type(replayed):
        if isinstance(recorded, dict) and list(recorded) == list(replayed):
            for key, value in recorded.items():
                if not _is_same(value, replayed[key]):
                    return first_inequality(value, replayed[key], f"{where}.{key}")
        if isinstance(recorded, list | tuple) and len(recorded) == len(replayed):
            for index, value in enumerate(recorded):
                if not _is_same(value, replayed[index]):
                    return first_inequality(value, replayed[index], f"{where}[{index}]")
    return where


def _is_same(one: Any, other: Any) -> bool:
    # By how they are written: 1 is not 1.0, 0.0 not -0.0, and NaN is NaN.
    return repr(one) == repr(other)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
