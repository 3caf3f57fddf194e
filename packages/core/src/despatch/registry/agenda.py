"""The agenda: commands that wait for their simulated time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush

import simpy
from msgspec.structs import replace
from simpy.events import URGENT

from despatch.commands import Command

__all__ = ["Agenda"]


class Agenda:
    """Has each command carried out at its time.

    Args:
        env: The simulation's environment.
        carry_out: Called with a command when its time has come.
    """

    def __init__(self, env: simpy.Environment, carry_out: Callable[[Command], object]) -> None:
        self._env = env
        self._carry_out = carry_out
        self._waiting: dict[simpy.Event, tuple[float, Command]] = {}

    def add(self, command: Command, at: float) -> None:
        """Let a command wait for simulated time `at`, which is yet to come."""
        # Whoever made the command may go on using its mappings.
        kept = replace(
            command, at=at, updates=dict(command.updates), expect=dict(command.expect), handle=None
        )
        self._waiting[_Due(self._env, at, self._act)] = at, kept

    def pending(self) -> tuple[Command, ...]:
        """The commands that wait, in the order in which they will be carried out."""
        waiting = sorted(self._waiting.values(), key=lambda each: each[0])
        return tuple(command for _, command in waiting)

    def _act(self, due: simpy.Event) -> None:
        _, command = self._waiting.pop(due)
        self._carry_out(command)


class _Due(simpy.Event):
    """The instant that a command waits for.

    It comes before all that is planned for that instant, however long before it was planned: what
    a command changes at 10 holds for everything that happens at 10.
    """

    def __init__(
        self, env: simpy.Environment, at: float, act: Callable[[simpy.Event], None]
    ) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.callbacks.append(act)
        # Not by `env.schedule`, which takes a delay: now + (at - now) is not always `at` in
        # floating point, and a command that came a hair late would miss what happens at its time.
        heappush(env._queue, (at, URGENT, next(env._eid), self))
