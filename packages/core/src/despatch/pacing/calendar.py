"""The calendar: which wall time a simulated time stands for.

A simulated second is a second of the calendar at any factor. Both directions go by UTC: a day on
which the clocks are put back has 25 hours here too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["Calendar", "aware"]


class Calendar:
    """Translates between simulated time and wall time.

    Args:
        start: The wall time of simulated 0, with an offset.

    Raises:
        TypeError: `start` is no datetime.
        ValueError: `start` is naive.
    """

    def __init__(self, start: datetime) -> None:
        self.start = aware(start, "start")
        self._start_utc = start.astimezone(UTC)

    def wall_time(self, sim_time: float) -> datetime:
        """What `sim_time` (simulated seconds) stands for, to the microsecond, in `start`'s zone.

        Raises:
            ValueError: It is beyond what a datetime can say.
        """
        try:
            moment = self._start_utc + timedelta(seconds=float(sim_time))
            return moment.astimezone(self.start.tzinfo)
        except (OverflowError, ValueError) as error:
            raise ValueError(
                f"simulated time {sim_time} is beyond the calendar that starts at "
                f"{self.start.isoformat()}"
            ) from error

    def sim_time(self, wall_time: datetime) -> float:
        """The simulated time, in seconds, that stands for `wall_time`, which has an offset."""
        return (wall_time.astimezone(UTC) - self._start_utc).total_seconds()


def aware(value: datetime, argument: str) -> datetime:
    """`value`, where it is a wall time that means the same everywhere.

    Raises:
        TypeError: It is no datetime; names the argument.
        ValueError: It is naive; names the argument.
    """
    expected = (
        f"{argument}: expected a datetime with an offset, such as datetime(2026, 1, 5, 6, "
        "tzinfo=UTC)"
    )
    if not isinstance(value, datetime):
        raise TypeError(f"{expected}, got {value!r}")
    if value.utcoffset() is None:
        raise ValueError(f"{expected}, got {value.isoformat()}, which has none")
    return value
