"""Suspicion: which plugin was at work, with what, each time when a courier died.

The ledger notes what is about to be done with a plugin before it is done. A courier that starts
finds what its predecessor did not live to cross out:

- A batch that was on its way in three couriers that died becomes suspect, and is tried alone. If
  the courier dies again, the range is halved, and its first half tried; if that is delivered, the
  rest is. A single record that kills three couriers, with nothing else at work, is convicted.
- A connector that kills three couriers in `open`, with nothing else at work, is condemned, and so
  is one that kills them with one record after the other. Its sink is stopped, its records owed.
- Before each trial there is a lull in which nothing is at work. If the courier dies in it, somebody
  else kills couriers, and all suspicion is dropped. Deaths at random moments convict nobody.

What is delivered, and what fails with an exception, is innocent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

__all__ = ["CONVICTIONS", "DEATHS", "Stage", "Suspicion"]

DEATHS: Final = 3
"""So many deaths make a batch suspect, and convict a record or a connector that is tried alone."""

CONVICTIONS: Final = 5
"""So many records convicted in a row, with none delivered in between, convict the connector."""

LULLS: Final = 5
LULL_LEAST_S: Final = 0.1
LULL_MOST_S: Final = 10.0
"""How long a lull is: so many times as long as the plugin was at work at the longest when a courier
died, within these, in wall seconds."""


class Stage(StrEnum):
    """What is being done with a plugin."""

    IDLE = "idle"
    LULL = "lull"
    OPENING = "opening"
    DELIVERING = "delivering"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is held against one sink or source.

    Attributes:
        stage: What is being done with its plugin; at a start, what was when the courier died.
        begun_ns: Since when, wall time in nanoseconds since 1970, UTC.
        records: How many records the batch has that is on its way.
        opening_deaths: How many couriers died while it was being opened.
        deaths: How many died while the present range was on its way.
        suspect_end: Where the suspect range ends; None where there is no suspicion.
        killer_end: Where the range ended that killed a courier last; None where there is none.
        lull_s: How long nothing is to be at work before the next trial, in wall seconds.
        convictions: How many records were convicted since the last that was delivered.
    """

    stage: Stage = Stage.IDLE
    begun_ns: int = 0
    records: int = 0
    opening_deaths: int = 0
    deaths: int = 0
    suspect_end: int | None = None
    killer_end: int | None = None
    lull_s: float = 0.0
    convictions: int = 0

    @property
    def is_convicted(self) -> bool:
        """Whether the record that is the present range kills couriers."""
        return self.suspect_end is not None and self.records == 1 and self.deaths >= DEATHS

    @property
    def is_condemned(self) -> bool:
        """Whether the connector kills couriers, whatever it is given."""
        return self.opening_deaths > DEATHS or self.convictions >= CONVICTIONS

    @property
    def condemnation(self) -> str:
        """Why it is condemned, in words."""
        if self.opening_deaths > DEATHS:
            return f"it killed the courier {self.opening_deaths} times while it was being opened"
        return f"it killed the courier with each of {self.convictions} records in a row"

    def next_end(self, position: int) -> int | None:
        """Where the next range of a suspect's ends; None where there is no suspicion.

        Of a range that kills, each half is tried, and then each half of that half that does.
        """
        if self.killer_end is None or self.killer_end <= position:
            return self.suspect_end
        return max(position + 1, (position + self.killer_end) // 2)

    @property
    def verdict(self) -> str:
        """What is held against it after a death, in words."""
        if self.is_condemned:
            return self.condemnation
        if self.opening_deaths:
            return f"being opened, as in {self.opening_deaths} that died; opened alone from now on"
        if self.suspect_end is not None:
            return f"what it gets up to position {self.suspect_end} is suspect, and tried alone"
        if self.deaths:
            return f"its batch was on the way, as in {self.deaths} that died"
        return "nothing is held against it"

    def cleared(self) -> Suspicion:
        """Without suspicion, but for the records that were convicted."""
        return Suspicion(convictions=self.convictions)

    def paroled(self) -> Suspicion:
        """With one more chance for a connector that is condemned."""
        return replace(
            self,
            opening_deaths=min(self.opening_deaths, DEATHS),
            convictions=min(self.convictions, CONVICTIONS - 1),
        )

    def opened(self) -> Suspicion:
        """After `open` has come through, whatever came of it."""
        return replace(self, stage=Stage.IDLE, opening_deaths=0)

    def after_death(
        self, position: int, end: int | None, *, was_alone: bool, died_ns: int
    ) -> tuple[Suspicion, int | None]:
        """What is held against it now that a courier has died.

        Args:
            position: Where its present range begins.
            end: Where its present range ends; None where there is none.
            was_alone: Whether nothing else was at work.
            died_ns: When it died, wall time in nanoseconds since 1970, UTC.

        Returns:
            The suspicion, and where the range ends that is to be tried next.
        """
        # Whoever else kills couriers has so much more time to do it with nothing at work.
        flight_s = (died_ns - self.begun_ns) / 1e9
        lull_s = min(LULL_MOST_S, max(LULL_LEAST_S, self.lull_s, LULLS * flight_s))
        ground = replace(self, stage=Stage.IDLE, lull_s=lull_s)
        if self.stage is Stage.OPENING:
            # The first death only has it tried alone.
            counts = was_alone or self.opening_deaths == 0
            return replace(ground, opening_deaths=self.opening_deaths + counts), end
        if self.stage is not Stage.DELIVERING or end is None:
            return replace(self, stage=Stage.IDLE), end
        if self.suspect_end is None:
            if self.deaths + 1 < DEATHS:
                return replace(ground, deaths=self.deaths + 1), end
            return replace(ground, deaths=0, suspect_end=end), end
        ground = replace(ground, killer_end=end)
        if self.records > 1:
            return replace(ground, deaths=0), ground.next_end(position)
        return replace(ground, deaths=self.deaths + was_alone), end
