"""Counting: takes the place of a journal where only watched events and telemetry matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from despatch.entries import (
    EVENT,
    TELEMETRY,
    UNENCODABLE_EVENT,
    Entry,
)
from despatch.errors import UnencodableError
from despatch.forecasting.figures import Figure
from despatch.selection import Matches, Selection
from despatch.value_types import ValueType
from despatch.values import OPTIONS, Hook, default, packb, unpack
from despatch.values.numbers import finite_number

__all__ = ["Counting"]

_EVENTS: Final = (EVENT, UNENCODABLE_EVENT)
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class Counting:
    """Counts the events that figures select, and keeps the last values of their telemetry.

    What nobody watches is passed over: it is not encoded.

    Args:
        figures: The figures that are watched.

    Attributes:
        counts: How many events there were, by the name of the figure.
        telemetry: The last value of each watched telemetry that is a number, by path.
        published: The paths of all telemetry.
    """

    def __init__(self, figures: Sequence[Figure]) -> None:
        counted = [(each.name, each.select) for each in figures if each.select is not None]
        self.counts = dict.fromkeys((name for name, _ in counted), 0)
        self.telemetry: dict[str, float] = {}
        self.published: set[str] = set()
        selections = [(name, Selection.model_validate(select)) for name, select in counted]
        self._counted: list[tuple[str, Matches]] = [(name, s.matches) for name, s in selections]
        self._reads_value = any(selection.reads_value for _, selection in selections)
        self._watched = {each.of for each in figures if each.kind == "telemetry"}
        self._type_names: list[str | None] = [None]

    @staticmethod
    def is_needed(figures: Sequence[Figure]) -> bool:
        """Whether any of the figures is of what is published."""
        return any(each.kind in ("count", "telemetry") for each in figures)

    def append(self, entry: Entry, hook: Hook = default) -> int:
        """Take a record."""
        kind, _, name, type_id, value = entry
        if kind in _EVENTS:
            if not self._counted:
                return 0
            # A look at what is plain is cheaper than to pack and unpack it.
            if self._reads_value and not (
                type(value) is dict and _PLAIN.issuperset(map(type, value.values()))
            ):
                value = None if kind == UNENCODABLE_EVENT else _as_sinks_see_it(value, hook)
            type_name = self._type_names[type_id] if type_id else None
            for figure, matches in self._counted:
                if matches("event", name, type_name, value):
                    self.counts[figure] += 1
        elif kind == TELEMETRY:  # what depends on wall time is left out, as in a replay
            self.published.add(name)
            if name in self._watched and (number := finite_number(value)) is not None:
                self.telemetry[name] = number
        return 0

    def add_type(self, value_type: ValueType) -> int:
        """Number a type, as a run's journal does."""
        self._type_names.append(value_type.name)
        return len(self._type_names) - 1


def _as_sinks_see_it(value: Any, hook: Hook) -> Any:
    """A value as it comes out of a journal."""
    try:
        return unpack(packb(value, hook, OPTIONS))
    except (TypeError, ValueError, UnencodableError):
        return None  # as that of a dead letter
