"""The grid: at which simulated times, and which wall times, a forecast looks at its figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from despatch.errors import Problem, SettingsError
from despatch.settings import Settings

__all__ = ["Grid"]

_PARTS: Final = 32
_MOST_POINTS: Final = 100_000


class Grid(msgspec.Struct, kw_only=True, frozen=True):
    """The grid points of a forecast.

    Attributes:
        begins: The simulated time of the first, which is the present.
        began_at: Its wall time; None where nobody said.
        elapsed: How far each is from the first, in simulated seconds.
    """

    begins: float
    began_at: datetime | None
    elapsed: list[float]

    @property
    def times(self) -> list[float]:
        """The simulated time of each."""
        return [self.begins + each for each in self.elapsed]

    @property
    def wall_times(self) -> list[datetime] | None:
        """The wall time of each; None where nobody said which that of the first is."""
        began_at = self.began_at
        if began_at is None:
            return None
        return [began_at + timedelta(seconds=each) for each in self.elapsed]

    @staticmethod
    def distances(settings: Settings) -> list[float]:
        """How far each point is from the first, as settings say; the last is the horizon.

        Raises:
            SettingsError: There is no horizon, or it is less than the distance of the points.
        """
        chosen = settings.forecast
        horizon = chosen.horizon or settings.clock.until
        if not horizon:
            raise SettingsError(
                [Problem("forecast.horizon", "is required where there is no `clock.until`")]
            )
        if chosen.every is None:
            whole_s = horizon.total_seconds()
            return [whole_s * i / _PARTS for i in range(_PARTS + 1)]
        if chosen.every > horizon:
            told = f"expected no more than the horizon, {horizon}, got {chosen.every}"
            raise SettingsError([Problem("forecast.every", told)])
        count, rest = divmod(horizon, chosen.every)
        if count > _MOST_POINTS:
            told = f"expected at most {_MOST_POINTS:,} of them in the horizon, got {count:,}"
            raise SettingsError([Problem("forecast.every", told)])
        points = [(chosen.every * i).total_seconds() for i in range(count + 1)]
        return [*points, horizon.total_seconds()] if rest else points
