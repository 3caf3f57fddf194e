"""Ticks: round numbers and round times along the axes of a picture."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

__all__ = ["number_ticks", "span_ticks", "spelled", "time_ticks"]

_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
)
_DAY_S: Final = 86_400
_UNITS: Final = ((_DAY_S, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def number_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, both of which may lie outside of them."""
    step = _round_step((high - low) / about)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def spelled(number: float) -> str:
    """A tick's number, without more digits than it takes."""
    return f"{number:,.10g}"


def time_ticks(begin: datetime, seconds: float, about: int = 5) -> list[tuple[float, str]]:
    """Round wall times: how far each is from `begin`, in seconds, and what it is called."""
    step = _time_step(seconds / about)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (begin - midnight).total_seconds()
    number = math.ceil(passed / step - 1e-9)
    found = []
    while (after := number * step - passed) <= seconds:
        moment = begin + timedelta(seconds=after)
        if (number * step) % _DAY_S == 0:
            label = f"{moment.day} {moment:%b}"
        else:
            label = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
        found.append((after, label))
        number += 1
    return found


def span_ticks(seconds: float, about: int = 5) -> tuple[list[tuple[float, str]], str]:
    """Round spans up to so many seconds, each with what it is called, and the unit of all."""
    size, unit = next((each for each in _UNITS if seconds >= 2 * each[0]), _UNITS[-1])
    ticks = number_ticks(0.0, seconds / size, about)
    return [(tick * size, spelled(tick)) for tick in ticks], unit


def _round_step(least: float) -> float:
    if not least > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return float(next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9)))


def _time_step(least: float) -> float:
    for step in _STEPS_S:
        if step >= least:
            return float(step)
    return _DAY_S * math.ceil(least / _DAY_S)
