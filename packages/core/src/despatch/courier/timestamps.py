"""Timestamps: the wall time that a simulated time stands for, as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["LATEST", "Timestamps"]

LATEST: Final = datetime.max.replace(tzinfo=UTC).isoformat(timespec="microseconds")
"""What stands for a time beyond the calendar."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MINUTE_US: Final = 60_000_000
_UP_TO_THE_MINUTE: Final = len("2026-01-05T06:02:")


class Timestamps:
    """Says which wall time a simulated time stands for, to the microsecond.

    What an instant has in common with the one before it, the text up to the minute, is not made
    again: a timestamp by way of `datetime` takes twice as long.

    Args:
        start: The wall time that simulated 0 stands for, with its offset.
    """

    def __init__(self, start: datetime) -> None:
        self._start_us = (start - _EPOCH) // _MICROSECOND
        self._minute: int | None = None
        self._prefix = ""

    def at(self, sim_time: float) -> str:
        """The timestamp of a simulated time, in simulated seconds, such as a record has.

        Raises:
            ValueError: No calendar has it: it is beyond the year 9999, before the year 1, infinite
                or not a number.
        """
        try:
            minute, rest_us = divmod(self._start_us + round(sim_time * 1e6), _MINUTE_US)
            if minute != self._minute:
                text = (_EPOCH + timedelta(minutes=minute)).isoformat()
                self._minute, self._prefix = minute, text[:_UP_TO_THE_MINUTE]
        except (OverflowError, ValueError) as error:  # ValueError: a time that is not a number
            raise ValueError(
                f"simulated time {sim_time} is beyond the calendar of `clock.start`"
            ) from error
        digits = str(100_000_000 + rest_us)  # so that none of its zeros is missing
        return f"{self._prefix}{digits[1:3]}.{digits[3:]}+00:00"
