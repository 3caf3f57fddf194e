"""Freezing: what a history says of an instant, checked, before anything is forecast."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from despatch.backtesting.history import History
from despatch.errors import HistoryError
from despatch.models import ModelError, find_model
from despatch.renderings import excerpt
from despatch.snapshots import Snapshot

__all__ = ["Frozen", "Historian", "find_history"]

_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True)
class Frozen:
    """A history at an instant.

    Attributes:
        number: Which of its instants it is, counted from 0.
        instant: The instant.
        snapshot: What was known then.
        actual: What then came: for each figure a value at each time ahead; NaN is not known.
        naive: What somebody without a model would have said, of those figures where they would.
    """

    number: int
    instant: datetime
    snapshot: Snapshot
    actual: Mapping[str, Sequence[float]]
    naive: Mapping[str, Sequence[float]]


def find_history(name: str, origin: str | None = None) -> History:
    """Import what gives a history, and call it.

    Args:
        name: ``module:callable``, as a model is named.
        origin: The folder of the settings file, beside which it is looked for first.

    Raises:
        HistoryError: There is no such thing, it raised, or what it gave is no history.
    """
    if origin is not None and origin not in sys.path:
        sys.path.insert(0, origin)
    try:
        found = find_model(name)
    except ModelError as error:
        raise HistoryError(f"history {name}: {error}") from error
    history = _said(found, f"history {name}", [])
    if not isinstance(history, History):
        raise HistoryError(f"history {name}: expected a History, got {excerpt(history)}")
    return history


class Historian:
    """Asks a history, and checks what it says.

    Args:
        history: The history.
        figures: The names of the figures that are forecast.
        ahead_s: How long after an instant they are, in seconds.
    """

    def __init__(self, history: History, figures: Sequence[str], ahead_s: Sequence[float]) -> None:
        self._history = history
        self._figures = figures
        self._ahead_s = ahead_s

    def instants(self) -> list[datetime]:
        """When the history can be frozen.

        Raises:
            HistoryError: At no time, not in order, or at a time without its offset from UTC.
        """
        instants: list[object] = [*_said(lambda: self._history.instants, "instants", [])]
        checked: list[datetime] = []
        for each in instants:
            if not isinstance(each, datetime) or each.utcoffset() is None:
                raise HistoryError(
                    f"instants: expected times with an offset from UTC, got {excerpt(each)}"
                )
            if checked and each <= checked[-1]:
                raise HistoryError(
                    f"instants: expected them in order, got {each.isoformat()} after "
                    f"{checked[-1].isoformat()}"
                )
            checked.append(each)
        if not checked:
            raise HistoryError("instants: expected at least one")
        return checked

    def freeze(self, number: int, instant: datetime) -> Frozen:
        """The history at an instant.

        Args:
            number: Which of its instants it is.
            instant: The instant.

        Raises:
            HistoryError: What it says is no state at that instant, or not of all figures.
        """
        history, at = self._history, instant.isoformat()
        snapshot: object = _said(history.snapshot, f"snapshot({at})", [instant])
        if not isinstance(snapshot, Snapshot):
            raise HistoryError(f"snapshot({at}): expected a Snapshot, got {excerpt(snapshot)}")
        if snapshot.taken_at != instant:
            raise HistoryError(
                f"snapshot({at}): expected it to be taken at that instant, and it was at "
                f"{snapshot.taken_at.isoformat()}"
            )
        actual = self._values(history.actual, f"actual({at})", instant)
        if missing := [each for each in self._figures if each not in actual]:
            raise HistoryError(
                f"actual({at}): expected all figures that are watched, and there is no "
                f"{', '.join(missing)}; there are {', '.join(actual) or 'none'}. What a figure is "
                "called, `name` under `forecast.watch` says"
            )
        naive = self._values(history.naive, f"naive({at})", instant)
        return Frozen(number, instant, snapshot, actual, naive)

    def _values(
        self, method: Callable[..., Any], called: str, instant: datetime
    ) -> dict[str, list[float]]:
        given: object = _said(method, called, [instant, list(self._ahead_s)])
        if not isinstance(given, Mapping):
            raise HistoryError(f"{called}: expected figures by name, got {excerpt(given)}")
        return {
            name: self._numbers(given[name], f"{called}, {name}")
            for name in self._figures
            if name in given
        }

    def _numbers(self, given: Any, called: str) -> list[float]:
        count = len(self._ahead_s)
        numbers = [*map(_number, given)] if isinstance(given, Iterable) else []
        if len(numbers) != count or any(each is None for each in numbers):
            raise HistoryError(
                f"{called}: expected {count} numbers, one for each time ahead; NaN is what was not "
                f"recorded; got {excerpt(given)}"
            )
        return [each for each in numbers if each is not None]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isinf(number) else number


def _said(method: Callable[..., _Said], called: str, arguments: Sequence[object]) -> _Said:
    try:
        return method(*arguments)
    except Exception as error:
        # The boundary to the user's own code: whatever it raises is the reason.
        raise HistoryError(f"{called} raised {type(error).__name__}: {error}") from error
