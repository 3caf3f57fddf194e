"""Lag: what is said, and done, when a paced simulation is late.

The environment measures; here it is judged. A simulation that is later than its tolerance is
reported once, or ended, and once more when it has recovered: when it is late by no more than half
the tolerance, so that one at the limit does not fill the log. A callback that kept everybody else
waiting is reported by the name of its process.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from simpy.events import Interruption, Process

from despatch.durations import format_duration, parse_duration
from despatch.errors import LagError

__all__ = ["LAG_TOLERANCE", "LONG_CALLBACK_S", "Callbacks", "LagPolicy", "LagWatch"]

_log = logging.getLogger("despatch")

LagPolicy: TypeAlias = Literal["warn", "stop"]
"""What happens to a simulation that is later than its tolerance."""

Callbacks: TypeAlias = Sequence[Callable[[Any], object]]
"""What was called: an event's callbacks."""

LAG_TOLERANCE: Final = timedelta(seconds=1)
"""How late a simulation may be, unless somebody says otherwise."""

LONG_CALLBACK_S: Final = 0.1
"""A callback that takes longer, in wall seconds, is reported."""

REPEAT_S: Final = 60.0
"""The long callbacks of one process are reported once in so many wall seconds."""

_BRIEF_S: Final = 0.001
"""Callbacks that take no longer are not remembered: no single one of them makes anybody late."""

_NAMES_SHOWN: Final = 5
_NAMES_REMEMBERED: Final = 1000


class LagWatch:
    """Judges how late a paced simulation is.

    Args:
        tolerance: How late it may be, of wall time: a duration, as text, a timedelta or seconds.
            None tolerates any lag.
        policy: ``warn`` logs when it is later and when it has recovered, ``stop`` raises.

    Raises:
        ValueError: The tolerance is no duration of more than 0, the policy is another word, or
            ``stop`` has no tolerance to go by.

    Attributes:
        tolerance_s: How late it may be, in wall seconds; infinite where any lag is tolerated.
        is_late: Whether the tolerance was exceeded, and the simulation has not recovered.
        notice_s: Callbacks that took longer, in wall seconds, are to be noted.
    """

    def __init__(
        self,
        tolerance: timedelta | str | float | None = LAG_TOLERANCE,
        policy: LagPolicy = "warn",
    ) -> None:
        if policy not in get_args(LagPolicy):
            raise ValueError(f"lag_policy: expected 'warn' or 'stop', got {policy!r}")
        if tolerance is None and policy == "stop":
            raise ValueError("lag_tolerance: expected a duration where lag_policy is 'stop'")
        self.tolerance_s = math.inf if tolerance is None else _seconds(tolerance)
        self.policy: LagPolicy = policy
        self.is_late = False
        self._late_since = 0.0
        self._worst_s = 0.0
        self.on_time()
        self._reported: dict[str, tuple[float, int]] = {}

    def on_time(self) -> None:
        """The simulation waits for its next event: nobody is to blame for anything any more."""
        self.notice_s = self._longest_s = _BRIEF_S
        self._longest: Callbacks | None = None

    def note_lag(self, lag_s: float, sim_time: float, factor: float, now: float) -> None:
        """The next event was due `lag_s` ago. To be called while that, or `is_late`, is too much.

        Args:
            lag_s: In wall seconds; negative where it is not due yet.
            sim_time: The simulated time.
            factor: Wall seconds per simulated second.
            now: The wall time, in seconds.

        Raises:
            LagError: It is too late, and the policy is ``stop``.
        """
        if lag_s > self.tolerance_s:
            if self.policy == "stop":
                raise LagError(f"the simulation was {self._described(lag_s, sim_time, factor)}")
            if not self.is_late:
                _log.warning("the simulation is %s", self._described(lag_s, sim_time, factor))
                self.is_late, self._late_since, self._worst_s = True, now, 0.0
            self._worst_s = max(self._worst_s, lag_s)
        elif self.is_late and lag_s <= self.tolerance_s / 2:
            self.is_late = False
            _log.warning(
                "the simulation has recovered at simulated time %s: it was late for %.3f s, by up "
                "to %.3f s",
                sim_time,
                now - self._late_since,
                self._worst_s,
            )

    def note_callbacks(
        self, held_s: float, callbacks: Callbacks | None, sim_time: float, now: float
    ) -> None:
        """These took longer than `notice_s`.

        Args:
            held_s: How long they took, in wall seconds.
            callbacks: What was called; None is whoever the environment attends to.
            sim_time: The simulated time.
            now: The wall time, in seconds, at their end.
        """
        if held_s > self._longest_s:
            self._longest_s, self._longest = held_s, callbacks
            self.notice_s = min(held_s, LONG_CALLBACK_S)
        if held_s > LONG_CALLBACK_S:
            self._report(held_s, _who(callbacks), sim_time, now)

    def _described(self, lag_s: float, sim_time: float, factor: float) -> str:
        tolerance = format_duration(timedelta(seconds=self.tolerance_s))
        if self._longest_s >= lag_s / 2:
            cause = f"{_who(self._longest)} held it up for {self._longest_s:.3f} s"
        else:
            cause = "it is asked for more at this factor than the machine gives"
            if self._longest_s > _BRIEF_S:
                cause += f" (the longest callback: {_who(self._longest)}, {self._longest_s:.3f} s)"
        return (
            f"{lag_s:.3f} s late at simulated time {sim_time} (factor {factor:g}, tolerance "
            f"{tolerance}); {cause}"
        )

    def _report(self, held_s: float, who: str, sim_time: float, now: float) -> None:
        last, unsaid = self._reported.get(who, (-math.inf, 0))
        if now - last < REPEAT_S:
            self._reported[who] = (last, unsaid + 1)
            return
        if len(self._reported) >= _NAMES_REMEMBERED:
            # Processes may have names of their own by the million.
            self._reported.clear()
        self._reported[who] = (now, 0)
        _log.warning(
            "%s held the clock for %.3f s at simulated time %s; events, commands and signals "
            "waited%s",
            who,
            held_s,
            sim_time,
            f" (and {unsaid} times more since this was last said)" if unsaid else "",
        )


def _seconds(tolerance: timedelta | str | float) -> float:
    try:
        seconds = parse_duration(tolerance).total_seconds()
    except ValueError as error:
        raise ValueError(f"lag_tolerance: {error}") from error
    if not seconds:
        raise ValueError(f"lag_tolerance: expected a duration of more than 0s, got {tolerance!r}")
    return seconds


def _who(callbacks: Callbacks | None) -> str:
    if callbacks is None:
        return "commands, calls from other threads and the writing of the journal"
    names = list(dict.fromkeys(map(_name, callbacks)))
    if not names:
        return "an event without callbacks"
    if len(names) > _NAMES_SHOWN:
        names[_NAMES_SHOWN:] = [f"{len(names) - _NAMES_SHOWN} others"]
    return " or ".join(names)


def _name(callback: Callable[[Any], object]) -> str:
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, Interruption):
        owner = owner.process
    if isinstance(owner, Process):
        return f"process {owner.name}"
    return f"callback {getattr(callback, '__qualname__', repr(callback))}"
