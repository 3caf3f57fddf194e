"""The kernel: SimPy's events in SimPy's order, with less work for each.

A `Kernel` is a `simpy.Environment`. It makes the same events, gives them the same numbers, and
so processes them in the same order. What it saves is calls: a timeout or a process is made and
scheduled in one function instead of four, and the loop pops events and resumes processes itself.

SimPy lets people replace parts of an environment, as its guide to monitoring shows: `step` and
`schedule`, in a subclass or on one instance, and the constructors of events. Where somebody did,
the kernel steps aside, and every event goes through what was put there.
"""

from __future__ import annotations

from heapq import heappop, heappush
from inspect import getattr_static
from operator import attrgetter
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

import simpy
from simpy.core import BoundClass, EmptySchedule, Environment, StopSimulation
from simpy.events import NORMAL, URGENT, EventPriority, ProcessGenerator, _describe_frame

from despatch.kernel.bare_events import Initialize, Process, Timeout, are_simpys_own

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Kernel"]

_RESUME: Final = simpy.Process._resume
_BEFORE_ALL: Final = EventPriority(-1)


class _Replaceable(property):
    """A method of SimPy's that somebody may replace on an instance, who then watches it."""

    def __init__(self, name: str) -> None:
        # Read in C, since SimPy's own code reads it at every turn.
        super().__init__(attrgetter(f"_{name}"))
        self._slot = f"_{name}"
        self._simpys = getattr(Environment, name)

    def __set__(self, env: Any, method: Any) -> None:
        setattr(env, self._slot, method)
        env._note_watchers()

    def __delete__(self, env: Any) -> None:
        self.__set__(env, MethodType(self._simpys, env))

    def is_replaced(self, env: Any) -> bool:
        """Whether it is no longer SimPy's."""
        method = getattr(env, self._slot)
        return getattr(method, "__func__", None) is not self._simpys or method.__self__ is not env


class Kernel(Environment):
    """A `simpy.Environment` that gets through its events faster, and in the same order.

    Args:
        initial_time: Simulated time at the start.

    Attributes:
        _is_watched: Whether somebody has put something in the place of what the fast path leaves
            out. Events are then made by SimPy's constructors, scheduled by `schedule` and
            processed by `step`.
    """

    # What the loop looks at for each event is in slots: the fastest attributes there are, also
    # after somebody has looked at the instance's `__dict__`.
    __slots__ = ("_active_proc", "_eid", "_is_watched", "_now", "_queue", "_schedule", "_step")

    schedule = _Replaceable("schedule")
    step = _Replaceable("step")

    _is_watched: bool

    def __init__(self, initial_time: float = 0) -> None:
        self._schedule = MethodType(Environment.schedule, self)
        self._step = MethodType(Environment.step, self)
        self._note_watchers()
        super().__init__(initial_time)
        self._bind_early()

    def _note_watchers(self) -> None:
        cls = type(self)
        is_overridden = (cls.schedule, cls.step) != (Kernel.schedule, Kernel.step)
        self._is_watched = (
            is_overridden
            or Kernel.schedule.is_replaced(self)
            or Kernel.step.is_replaced(self)
            or not are_simpys_own()
        )

    def _bind_early(self) -> None:
        """Bind `event`, `all_of` and `any_of`, as SimPy does for its own class alone."""
        for name in ("event", "all_of", "any_of"):
            if isinstance(getattr_static(type(self), name), BoundClass):
                setattr(self, name, getattr(self, name))

    def timeout(self, delay: float = 0, value: Any | None = None) -> simpy.Timeout:
        """An event that is processed after a delay.

        Args:
            delay: In simulated time, at least 0.
            value: What a process gets that waits for it.

        Raises:
            ValueError: `delay` is negative, or NaN.
            TypeError: It is no number.
        """
        try:
            is_due = delay >= 0
        except TypeError:
            raise TypeError(f"delay: expected a number of at least 0, not {delay!r}") from None
        if not is_due:
            negative = f"Negative delay {delay}"
            raise ValueError(negative if delay < 0 else f"delay: expected at least 0, not {delay}")
        if self._is_watched:
            return super().timeout(delay, value)
        event: Any = Timeout()
        event.env = self
        event.callbacks = []
        event._value = value
        event._delay = delay
        event._ok = True
        heappush(self._queue, (self._now + delay, NORMAL, next(self._eid), event))
        return event  # type: ignore[no-any-return]

    def process(self, generator: ProcessGenerator) -> Process:
        """Start a process: a generator that yields the events it waits for.

        Returns:
            The process. A model that wants snapshots to call it by a name of its own says so here:
            ``env.process(part(env)).key = "part-17"``.

        Raises:
            ValueError: This is no generator.
        """
        if self._is_watched:
            # SimPy's own, which may be given a key as well.
            return super().process(generator)  # type: ignore[return-value]
        if not hasattr(generator, "throw"):
            raise ValueError(f"{generator} is not a generator.")
        process: Any = Process()
        process.env = self
        process.callbacks = []
        process._generator = generator
        process._target = start = Initialize()
        start.env = self
        start.callbacks = [process._resume]
        start._value = None
        start._ok = True
        heappush(self._queue, (self._now, URGENT, next(self._eid), start))
        return process  # type: ignore[no-any-return]

    def _advance(self, turn: Iterator[object]) -> None:
        """Process the next events, without a look at anything else.

        What `Environment.step` and `Process._resume` do, in one loop.

        Args:
            turn: Ends the loop when it ends; it is asked for each event. Whoever uses it up ends
                the loop before the next event.

        Raises:
            EmptySchedule: There is no further event.
            StopSimulation: The event came that the run was to end with.
        """
        queue, method, resume = self._queue, MethodType, _RESUME
        # Of events and processes, the loop touches what is SimPy's own business.
        event: Any
        process: Any
        for _ in turn:
            if self._is_watched:
                self.step()
                continue
            try:
                self._now, _, _, event = heappop(queue)
            except IndexError:
                raise EmptySchedule from None
            callbacks, event.callbacks = event.callbacks, None
            if (
                len(callbacks) == 1
                and (callback := callbacks[0]).__class__ is method
                and callback.__func__ is resume
                and event._ok
            ):
                # One process waits for an event that succeeded: nearly always, this is all.
                process = callback.__self__
                self._active_proc = process
                try:
                    target = process._generator.send(event._value)
                except StopIteration as end:
                    process._ok = True
                    process._value = end.value
                    self.schedule(process)
                    process._target = None
                except BaseException as error:
                    process._ok = False
                    process._value = _without_this_frame(error)
                    self.schedule(process)
                    process._target = None
                else:
                    try:
                        waiting = target.callbacks
                    except AttributeError:
                        raise _invalid_yield(process, target) from None
                    if waiting is None:
                        # It has been processed: the process goes on with it.
                        callback(target)
                    else:
                        waiting.append(callback)
                        process._target = target
                self._active_proc = None
                continue
            try:
                for callback in callbacks:
                    callback(event)
            except StopSimulation:
                # As SimPy does: the callbacks that have not been called are for a later run.
                event.callbacks = callbacks[callbacks.index(callback) + 1 :]
                self.schedule(event, _BEFORE_ALL)
                raise
            if not event._ok and not hasattr(event, "_defused"):
                # A copy, so that the original keeps its traceback.
                copy = type(event._value)(*event._value.args)
                copy.__cause__ = event._value
                raise copy


def _invalid_yield(process: Any, value: object) -> RuntimeError:
    """What SimPy raises for a process that yields anything but an event."""
    where = _describe_frame(process._generator.gi_frame)
    return RuntimeError(f'\n{where}Invalid yield value "{value}"')


def _without_this_frame(error: BaseException) -> BaseException:
    """The error with a traceback that begins in the process, as SimPy cuts it."""
    traceback = error.__traceback__
    return error if traceback is None else error.with_traceback(traceback.tb_next)
