"""Until: how long a run goes on, read as a simulated time.

| given | the run ends |
| --- | --- |
| a number, or a number as text | at that simulated time, as in SimPy |
| a `timedelta`, or text with a unit such as ``8h`` | so much simulated time from now |
| a `datetime` with an offset | at the simulated time that stands for it |

An event ends a run too, and is no time: `DynamicEnvironment.run` sees to it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import SupportsFloat, TypeAlias

import simpy

from despatch.durations import parse_duration
from despatch.pacing.calendar import Calendar, aware

__all__ = ["Until", "end_of_run"]

Until: TypeAlias = SupportsFloat | str | timedelta | datetime | simpy.Event
"""What ends a run."""


def end_of_run(
    until: SupportsFloat | str | timedelta | datetime, now: float, calendar: Calendar | None
) -> float:
    """The simulated time that `until` means; an int stays one, as in SimPy.

    Args:
        until: A number, a duration or a wall time.
        now: The present simulated time.
        calendar: What wall times mean; None where nobody said when simulated 0 was.

    Raises:
        TypeError: It is none of these.
        ValueError: It is not later than now, is text that says no duration, or a wall time that
            is naive or means nothing without a calendar.
    """
    if isinstance(until, datetime):
        return _at_wall_time(until, now, calendar)
    if isinstance(until, timedelta):
        return _after(until, now)
    at: float | None
    if isinstance(until, bool):
        at = None
    elif isinstance(until, int):
        at = until
    else:
        at = _number(until)
    if at is None and isinstance(until, str):
        return _after(_duration(until), now)
    if at is None:
        raise TypeError(
            "until: expected a simulated time, a duration (a timedelta, or text such as '8h'), a "
            f"datetime with an offset, or an event, got {until!r}"
        )
    # Not greater: a time that is not a number is neither greater nor smaller.
    if not at > now:
        raise ValueError(f"until ({at}) must be greater than the current simulation time")
    return at


def _number(value: SupportsFloat | str) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"until: {error}") from error


def _after(duration: timedelta, now: float) -> float:
    if duration <= timedelta(0):
        raise ValueError(f"until: expected a duration of more than 0s, got {duration!r}")
    return now + duration.total_seconds()


def _at_wall_time(until: datetime, now: float, calendar: Calendar | None) -> float:
    aware(until, "until")
    if calendar is None:
        raise ValueError(
            f"until ({until.isoformat()}) is a wall time, and this environment does not know which "
            "one its simulated 0 stands for: give it one, DynamicEnvironment(start=...)"
        )
    at = calendar.sim_time(until)
    if not at > now:
        raise ValueError(
            f"until ({until.isoformat()}) has passed: it is already "
            f"{calendar.wall_time(now).isoformat()} in the simulation (simulated time {now})"
        )
    return at
