"""What was in hand at the desk, at every instant, by what was known then.

`log.py` reads turns as a whole, with their ends. Here every row of the log is taken in as it
came: so what is said of an instant depends on nothing that came later.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from log import ACTIVITIES, COLUMNS, ZONE
from numpy.typing import NDArray

__all__ = ["AT_ONCE_S", "HOUR_S", "Hours", "Item", "Spell", "Work", "hour_of_week", "read_work"]

AT_ONCE_S = 300.0
"""Who begins a piece of work so soon after it was scheduled has not let it wait, in seconds."""

HOLIDAYS = frozenset({date(2011, 12, 25), date(2011, 12, 26), date(2012, 1, 1)})
"""The bank's holidays in the time of the log. To come they are taken for Sundays; but on Boxing Day
some people worked, so that nothing is concluded from holidays for Sundays."""

HOUR_S = 3600.0

Kind: TypeAlias = Literal["first", "at_once", "again"]
"""The first turn of a piece of work, after it waited or at once; or it was begun before."""


@dataclass(slots=True)
class Item:
    """A piece of work that was scheduled. Times are seconds since 1970.

    Attributes:
        begun: When its first turn began; infinite before that.
    """

    activity: str
    case: str
    scheduled: float
    begun: float = np.inf


@dataclass(slots=True)
class Spell:
    """A turn, from when it begins.

    Attributes:
        ended: When it was done or put aside; infinite before that.
        follow_ups: The work that was scheduled for the same application during it.
    """

    activity: str
    case: str
    kind: Kind
    began: float
    ended: float = np.inf
    is_done: bool = False
    follow_ups: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """All that a log says of work.

    Attributes:
        items: Every piece of work, in the order of their scheduling.
        spells: Every turn, in the order of their beginnings.
        came: When work came that no turn brought about, by activity: with applications, by post.
        began: When the log begins.
        ended: When its last row was written.
    """

    items: list[Item] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)
    came: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ACTIVITIES.values()}
    )
    began: float = np.inf
    ended: float = -np.inf

    def waiting(self, moment: float) -> list[Item]:
        """The work that waits for its first turn."""
        return [each for each in self.items if each.scheduled <= moment < each.begun]

    def in_hand(self, moment: float) -> list[Spell]:
        """The turns that are under way."""
        return [each for each in self.spells if each.began <= moment < each.ended]


def read_work(path: Path, until: datetime | None = None) -> Work:
    """Read a log, row by row.

    A START answers the oldest SCHEDULE of its application and activity that none has answered, and
    lasts until the next COMPLETE, or until another START, which replaces it. A COMPLETE without
    START is left out.

    Assessments are work that comes by itself, with the customer's papers, though the clerk who
    opens the post mostly has a turn of another activity open for the same application.

    Args:
        path: The log, plain or gzipped; its columns are those that `log.py` knows.
        until: Read no row after this.

    Raises:
        ValueError: The file isn't a table with the columns of the log.
    """
    work = Work()
    waiting: defaultdict[tuple[str, str], deque[Item]] = defaultdict(deque)
    under_way: defaultdict[str, dict[str, Spell]] = defaultdict(dict)
    for at, case, activity, lifecycle in _rows(path):
        if until is not None and at > until.timestamp():
            break
        work.began, work.ended = min(work.began, at), at
        spells = under_way[case]
        if activity is None:
            continue
        if lifecycle == "SCHEDULE":
            item = Item(activity, case, at)
            work.items.append(item)
            waiting[case, activity].append(item)
            if spells and activity != "assessment":
                next(iter(spells.values())).follow_ups.append(activity)
            else:
                work.came[activity].append(at)
        elif lifecycle == "START":
            kind: Kind = "again"
            if queue := waiting[case, activity]:
                item = queue.popleft()
                item.begun = at
                kind = "at_once" if at - item.scheduled < AT_ONCE_S else "first"
            if activity in spells:
                spells.pop(activity).ended = at
            spells[activity] = Spell(activity, case, kind, at)
            work.spells.append(spells[activity])
        elif activity in spells:
            spell = spells.pop(activity)
            spell.ended, spell.is_done = at, True
    return work


def _rows(path: Path) -> Iterator[tuple[float, str, str | None, str]]:
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if missing := COLUMNS - {*(rows.fieldnames or ())}:
            named = ", ".join(sorted(missing))
            raise ValueError(f"{path}: expected a log with the columns {named}")
        for row in rows:
            at = datetime.fromisoformat(row["timestamp"]).timestamp()
            yield at, row["case"], ACTIVITIES.get(row["activity"]), row["lifecycle"]


def hour_of_week(local: datetime) -> int:
    """Which hour of the week it is, from Monday's first on: 0 to 167. A holiday is a Sunday.

    Args:
        local: The time at the desk.
    """
    weekday = 6 if local.date() in HOLIDAYS else local.weekday()
    return 24 * weekday + local.hour


class Hours:
    """The hours from a day's midnight on, each with its place in the week.

    Args:
        first: The day they begin with.
        count: How many.

    Attributes:
        began: The first midnight, in seconds since 1970.
        of_week: For each, which hour of the week it is.
        day: For each, which day it belongs to, counted from 0.
        is_usual: For each, whether it is on no holiday.
    """

    def __init__(self, first: date, count: int) -> None:
        midnight = datetime(first.year, first.month, first.day, tzinfo=ZONE)
        self.began = midnight.timestamp()
        self.of_week = np.empty(count, int)
        self.day = np.empty(count, int)
        self.is_usual = np.empty(count, bool)
        for i in range(count):
            local = datetime.fromtimestamp(self.began + i * HOUR_S, ZONE)
            self.of_week[i] = hour_of_week(local)
            self.is_usual[i] = local.date() not in HOLIDAYS
            self.day[i] = (local.date() - first) // timedelta(days=1)

    def __len__(self) -> int:
        return len(self.of_week)

    @property
    def ended(self) -> float:
        """When the last of them is over, in seconds since 1970."""
        return self.began + len(self) * HOUR_S

    def __contains__(self, moment: float) -> bool:
        return self.began <= moment < self.ended

    def index(self, moment: float) -> int:
        """Which hour a time is in."""
        return int((moment - self.began) // HOUR_S)

    def count(self, moments: list[float]) -> NDArray[np.float64]:
        """How many of these times are in each hour."""
        places = ((np.array(moments, float) - self.began) // HOUR_S).astype(int)
        inside = places[(places >= 0) & (places < len(self))]
        return np.bincount(inside, minlength=len(self)).astype(float)

    def spent(self, spans: list[tuple[float, float]]) -> NDArray[np.float64]:
        """How many hours these spans of time add up to within each hour."""
        total = np.zeros(len(self))
        for begin, end in spans:
            first = max(0.0, (begin - self.began) / HOUR_S)
            last = min(float(len(self)), (end - self.began) / HOUR_S)
            if first >= last:
                continue
            i, j = int(first), int(last)
            if i == j:
                total[i] += last - first
                continue
            total[i] += i + 1 - first
            total[i + 1 : j] += 1
            if j < len(self):
                total[j] += last - j
        return total
