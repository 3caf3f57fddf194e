"""Watches: how changes of any of many parameters wake those who wait for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import simpy

from despatch.registry.path_patterns import PathPatterns

__all__ = ["Watch"]


class Watch:
    """Tells of every change of the parameters whose paths match a pattern.

        >>> from despatch import DynamicEnvironment, SimParameter
        >>> class Desk(SimParameter):
        ...     staff: int = 1
        >>> env = DynamicEnvironment()
        >>> def report(env):
        ...     while True:
        ...         changes = yield env.registry.watch("*.staff").changed()
        ...         print(f"at {env.now:g}: {dict(changes)}")
        >>> process = env.process(report(env))
        >>> env.registry.register("Front", Desk())
        >>> env.registry.register("Back", Desk())
        >>> env.run(until=5)
        >>> change = env.registry.update({"Front.staff": 3, "Back.staff": 2})
        >>> env.run(until=10)
        at 5: {'Front.staff': 3, 'Back.staff': 2}

    A path that comes later matches as well: of a model that is registered, of a distribution
    that changes its family. A registry makes its watches (`Registry.watch`).

    Attributes:
        pattern: The pattern, one of `fnmatch`'s, with case: ``*`` is any text, dots included.
    """

    __slots__ = ("_callbacks", "_env", "_paths", "_pending", "_read", "_told", "pattern")

    def __init__(
        self, env: simpy.Environment, pattern: str, read: Callable[[], Mapping[str, Any]]
    ) -> None:
        self.pattern = pattern
        self._env = env
        self._read = read
        self._paths = PathPatterns([pattern])
        self._pending: simpy.Event | None = None
        self._told: list[tuple[simpy.Event, dict[str, Any]]] = []
        self._callbacks: list[Callable[[str, Any], None]] = []

    def __repr__(self) -> str:
        return f"<Watch {self.pattern}>"

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    @property
    def values(self) -> dict[str, Any]:
        """What the parameters are now whose paths match."""
        return {path: value for path, value in self._read().items() if path in self._paths}

    def changed(self) -> simpy.Event:
        """An event that succeeds at the next change.

        All who ask before that change share the event. Its value maps path to new value: that
        change, and all that match until the waiters go on, which is at the same instant. Those
        that changed last stand last.
        """
        if self._pending is None:
            self._pending = simpy.Event(self._env)
        return self._pending

    def subscribe(self, callback: Callable[[str, Any], None]) -> None:
        """Have `callback(path, value)` called at each change, at the instant of the change.

        It is called before any process that waits goes on, when all parameters of the same
        update have their new values. What it raises is the model's error and ends the run.
        """
        self._callbacks.append(callback)

    def unsubscribe(self, callback: Callable[[str, Any], None]) -> None:
        """Have `callback` called no more.

        Raises:
            ValueError: It was not subscribed.
        """
        try:
            self._callbacks.remove(callback)
        except ValueError:
            raise ValueError(f"{self.pattern}: {callback!r} is not subscribed") from None

    def fire(self, path: str, value: Any) -> None:
        """Tell of a change. The registry does."""
        # As with a signal, who asks from here on waits for the change after this one. Unlike with
        # a signal, nobody could look up what has changed meanwhile: those who were told and have
        # not gone on yet are told of this too.
        told = [(event, changes) for event, changes in self._told if not event.processed]
        pending, self._pending = self._pending, None
        first: dict[str, Any] = {}
        if pending is not None:
            told.append((pending, first))
        self._told = told
        for _, changes in told:
            changes.pop(path, None)
            changes[path] = value
        try:
            for callback in tuple(self._callbacks):
                callback(path, value)
        finally:
            if pending is not None:
                pending.succeed(MappingProxyType(first))
