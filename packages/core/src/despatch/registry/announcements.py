"""Announcements: who hears of which change, and in which order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import simpy

from despatch.registry.signals import Signal
from despatch.registry.watches import Watch

__all__ = ["Announcer"]


class Announcer:
    """Fires the signals and the watches of what has changed.

    Args:
        env: The simulation's environment.
        values: Path to present value, of all that can change.
        read: Reads one of them, or raises UnknownPathError.
    """

    def __init__(
        self, env: simpy.Environment, values: Mapping[str, Any], read: Callable[[str], Any]
    ) -> None:
        self._env = env
        self._values = values
        self._read = read
        self._signals: dict[str, Signal] = {}
        self._watches: dict[str, Watch] = {}
        self._watching: dict[str, tuple[Watch, ...]] = {}
        self._untold: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._is_telling = False

    def signal(self, path: str) -> Signal:
        """The signal of a path that is there, the same object each time."""
        signal = self._signals.get(path)
        if signal is None:
            signal = self._signals[path] = Signal(self._env, path, self._read)
        return signal

    def watch(self, pattern: str) -> Watch:
        """The watch of a pattern, the same object each time."""
        watch = self._watches.get(pattern)
        if watch is None:
            watch = self._watches[pattern] = Watch(self._env, pattern, lambda: self._values)
            self._watching.clear()
        return watch

    def announce(self, changed: Iterable[tuple[str, Any]]) -> None:
        """Tell of changes, in their order: of each its signal first, then the watches.

        A callback may change parameters in its turn. What is to be told of that waits until all
        of this has been told, so that every callback hears of the changes in their order.
        """
        signals, untold = self._signals, self._untold
        for path, value in changed:
            signal = signals.get(path)
            if signal is not None:
                untold.append((signal.fire, (value,)))
            if self._watches:
                for watch in self._watches_of(path):
                    untold.append((watch.fire, (path, value)))
        if untold and not self._is_telling:
            self._tell()

    def _tell(self) -> None:
        self._is_telling = True
        try:
            while self._untold:
                fire, told = self._untold.popleft()
                fire(*told)
        finally:
            self._is_telling = False

    def _watches_of(self, path: str) -> tuple[Watch, ...]:
        watches = self._watching.get(path)
        if watches is None:
            watches = tuple(watch for watch in self._watches.values() if path in watch)
            self._watching[path] = watches
        return watches
