"""The desk's history as a backtest wants it: frozen every 13 hours in its last two months.

``LOAN_DESK_LOG`` is the log, ``LOAN_DESK_PACE`` the file that `pace.py` wrote. Both are what
`backtest.yaml` is about.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from log import ZONE
from numpy.typing import NDArray
from pace import WORK, Pace, lately
from work import Work, read_work

from despatch.backtesting import History
from despatch.snapshots import InService, ResourceState, Snapshot, StoreState

__all__ = ["FIRST_INSTANT", "LAST_INSTANT", "Past", "past"]

FIRST_INSTANT = datetime(2012, 1, 1, tzinfo=ZONE)
LAST_INSTANT = datetime(2012, 2, 29, 16, tzinfo=ZONE)
"""No application of the log came after this day, though more came to the desk."""

EVERY = timedelta(hours=13)
"""In 13 days this comes to each hour of the day once, and to all days of the week."""

WEEK_S = 7 * 24 * 3600.0


class Past(History):
    """What was in hand at the desk, and what then came.

    Args:
        work: The log.
        pace: What a forecast starts from; it is to be fitted to earlier days.
        first: The first instant.
        last: The last one, at the most.
        every: How far they are apart.

    Raises:
        ValueError: The pace is fitted to days that are to be forecast.
    """

    def __init__(
        self,
        work: Work,
        pace: Pace,
        first: datetime = FIRST_INSTANT,
        last: datetime = LAST_INSTANT,
        every: timedelta = EVERY,
    ) -> None:
        if first.astimezone(ZONE).date() <= pace.last:
            raise ValueError(
                f"expected instants from {pace.last + timedelta(days=1)} on, since the pace is "
                f"fitted to the days until {pace.last}, and the first is {first.isoformat()}"
            )
        self.work = work
        self.pace = pace
        count = int((last.timestamp() - first.timestamp()) // every.total_seconds()) + 1
        begun = datetime.fromtimestamp(first.timestamp(), UTC)
        self._instants = [(begun + i * every).astimezone(ZONE) for i in range(count)]
        self._scheduled = _sorted(item.scheduled for item in work.items)
        self._begun = _sorted(item.begun for item in work.items)
        self._began = _sorted(spell.began for spell in work.spells)
        self._ended = _sorted(spell.ended for spell in work.spells)
        self._done = _sorted(spell.ended for spell in work.spells if spell.is_done)

    @property
    def instants(self) -> Sequence[datetime]:
        """Every 13 hours, night and day."""
        return self._instants

    def snapshot(self, instant: datetime) -> Snapshot:
        """What waits and what is being worked on, and the desk's level in the week before."""
        now = instant.timestamp()
        waiting, in_hand = self.work.waiting(now), self.work.in_hand(now)
        levels = lately(self.work, self.pace, now)
        return Snapshot(
            taken_at=instant,
            parameters={f"Desk.lately.{stream}": level for stream, level in levels.items()},
            stores={
                f"Desk.{name}.waiting": StoreState(
                    items=[{"case": item.case} for item in waiting if item.activity == name]
                )
                for name in WORK
            },
            resources={
                f"Desk.{name}.staff": ResourceState(
                    in_service=[
                        InService(
                            key=spell.case,
                            elapsed=now - spell.began,
                            data={"is_first": spell.kind != "again"},
                        )
                        for spell in in_hand
                        if spell.activity == name
                    ]
                )
                for name in WORK
            },
        )

    def actual(self, instant: datetime, ahead_s: Sequence[float]) -> dict[str, list[float]]:
        """How much was open, and how many turns had been done since the instant."""
        now = instant.timestamp()
        return {
            "open": [self._open(now + ahead) for ahead in ahead_s],
            "done": [self._done_between(now, now + ahead) for ahead in ahead_s],
        }

    def naive(self, instant: datetime, ahead_s: Sequence[float]) -> dict[str, list[float]]:
        """As much is open as now, and as many turns are done as in the same hours a week ago."""
        now = instant.timestamp()
        a_week_ago = now - WEEK_S
        return {
            "open": [self._open(now)] * len(ahead_s),
            "done": [self._done_between(a_week_ago, a_week_ago + ahead) for ahead in ahead_s],
        }

    def _open(self, at: float) -> float:
        waiting = _until(self._scheduled, at) - _until(self._begun, at)
        return float(waiting + _until(self._began, at) - _until(self._ended, at))

    def _done_between(self, begin: float, end: float) -> float:
        return float(_until(self._done, end) - _until(self._done, begin))


def past() -> Past:
    """The history for a settings file: its files come from the environment.

    Raises:
        ValueError: LOAN_DESK_LOG or LOAN_DESK_PACE is not set.
    """
    for name, what in (("LOAN_DESK_LOG", "the event log"), ("LOAN_DESK_PACE", "pace.py's file")):
        if not os.environ.get(name):
            raise ValueError(f"set {name} to the path of {what} (see README.md)")
    pace = Pace.model_validate_json(Path(os.environ["LOAN_DESK_PACE"]).read_bytes())
    return Past(read_work(Path(os.environ["LOAN_DESK_LOG"])), pace)


def _sorted(moments: Iterable[float]) -> NDArray[np.float64]:
    return np.sort(np.fromiter(moments, float))


def _until(moments: NDArray[np.float64], at: float) -> int:
    return int(np.searchsorted(moments, at, side="right"))
