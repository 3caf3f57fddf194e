"""Signals: how a change of a parameter wakes those who wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

__all__ = ["Signal"]


class Signal:
    """Tells of every change of one parameter.

    Any number of processes may wait on one signal, and none takes another's wake-up:

        >>> from despatch import DynamicEnvironment, SimParameter
        >>> class Desk(SimParameter):
        ...     staff: int = 1
        >>> env = DynamicEnvironment()
        >>> env.registry.register("Desk", Desk())
        >>> def watch(env):
        ...     staff = yield env.registry.signal("Desk.staff").changed()
        ...     print(f"{staff} at {env.now:g}")
        >>> process = env.process(watch(env))
        >>> env.run(until=5)
        >>> change = env.registry.update({"Desk.staff": 3})
        >>> env.run(until=10)
        3 at 5

    A registry makes its signals (`Registry.signal`).

    Attributes:
        path: The parameter's dotted path.
    """

    __slots__ = ("_callbacks", "_env", "_pending", "_read", "path")

    def __init__(self, env: simpy.Environment, path: str, read: Callable[[str], Any]) -> None:
        self.path = path
        self._env = env
        self._read = read
        self._pending: simpy.Event | None = None
        self._callbacks: list[Callable[[Any], None]] = []

    def __repr__(self) -> str:
        return f"<Signal {self.path}>"

    @property
    def env(self) -> simpy.Environment:
        """The environment in which those wait who wait for a change."""
        return self._env

    @property
    def value(self) -> Any:
        """What the parameter is now.

        Raises:
            UnknownPathError: It was a distribution's, whose family has no such parameter now.
        """
        return self._read(self.path)

    def changed(self) -> simpy.Event:
        """An event that succeeds, with the new value, at the next change.

        All who ask before that change share the event.
        """
        if self._pending is None:
            self._pending = simpy.Event(self._env)
        return self._pending

    def subscribe(self, callback: Callable[[Any], None]) -> None:
        """Have `callback(value)` called at each change, at the instant of the change.

        It is called before any process that waits goes on, when all parameters of the same
        update have their new values. What it raises is the model's error and ends the run.

        Raises:
            TypeError: It cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"{self.path}: expected a function of the new value, not {callback!r}")
        self._callbacks.append(callback)

    def unsubscribe(self, callback: Callable[[Any], None]) -> None:
        """Have `callback` called no more.

        Raises:
            ValueError: It was not subscribed.
        """
        try:
            self._callbacks.remove(callback)
        except ValueError:
            raise ValueError(f"{self.path}: {callback!r} is not subscribed") from None

    def fire(self, value: Any) -> None:
        """Tell of a change. The registry does."""
        # Waiters first learn of it when the kernel steps on; who asks from here on, be it in one
        # of these callbacks, waits for the change after this one.
        pending, self._pending = self._pending, None
        try:
            for callback in tuple(self._callbacks):
                callback(value)
        finally:
            if pending is not None:
                pending.succeed(value)
