"""The event log of a loan desk: what was done for each application, by whom and when.

The log is that of the BPI Challenge 2012 (Boudewijn van Dongen, 4TU.ResearchData,
https://doi.org/10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f) as a table: columns timestamp
(with offset), case, activity, lifecycle, resource and amount, sorted by time, gzipped or plain.
Its activities that begin with ``W_`` are work done by people.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

__all__ = ["ACTIVITIES", "HOUR", "Application", "Log", "Turn", "Window", "read_log"]

ACTIVITIES: Mapping[str, str] = {
    "W_Afhandelen leads": "leads",
    "W_Completeren aanvraag": "completion",
    "W_Nabellen offertes": "offer_calls",
    "W_Nabellen incomplete dossiers": "file_calls",
    "W_Valideren aanvraag": "assessment",
    "W_Beoordelen fraude": "fraud",
}
"""The log's names for work to ours. Others (12 rows of the real log) are left out."""

CALLS_BY_APPOINTMENT = {"offer_calls", "file_calls"}
"""Work that waits for the customer: an offer is followed up a week later, by design."""

COLUMNS = {"timestamp", "case", "activity", "lifecycle", "resource", "amount"}

ZONE = ZoneInfo("Europe/Amsterdam")
"""Where the desk is: its days begin at this midnight."""

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn at the desk: an application becomes due, is served by somebody, and is done.

    Attributes:
        due: From when on it could be served: when it joined the queue (SCHEDULE), or for a
            `is_call_back`, when it really was served, since the log doesn't say when the
            customer was to be called.
        start: When somebody began (START).
        end: When they were done, or put it aside (COMPLETE).
        staff: Who; empty where the log doesn't say.
        is_call_back: Whether it is the second or a later turn of a piece of work, or a call that
            waits for its day by design. All other turns are `fresh`: they wait for staff alone.
    """

    case: str
    activity: str
    due: datetime
    start: datetime
    end: datetime
    staff: str
    is_call_back: bool

    @property
    def is_left_open(self) -> bool:
        """Whether it was closed on another day: nobody worked on it all that time."""
        return self.start.date() != self.end.date()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Application:
    """An application for a loan.

    Attributes:
        case: Its number.
        arrived: When it came.
        amount: How much is asked for, in euros.
        turns: Its turns at the desk, in the order in which they were served.
    """

    case: str
    arrived: datetime
    amount: Decimal
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Log:
    """All applications, in the order of their arrival."""

    applications: tuple[Application, ...]

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """All turns of all applications, in the order in which they were begun."""
        turns = chain.from_iterable(application.turns for application in self.applications)
        return tuple(sorted(turns, key=lambda turn: turn.start))

    def window(self, first: date | None = None, last: date | None = None) -> Window:
        """The time from one day to another, both included; by default the whole log.

        Raises:
            ValueError: The log has no work in it.
        """
        if self.turns and first is None:
            first = self.applications[0].arrived.date()
        if self.turns and last is None:
            last = max(turn.end for turn in self.turns).date()
        window = Window.of_days(first, last) if first and last else None
        if window is None or not any(turn.start in window for turn in self.turns):
            raise ValueError(f"the log has no work in the days from {first} to {last}")
        return window

    def week(self, monday: date) -> Window:
        """The seven days that begin with this one.

        Raises:
            ValueError: The log has no work in them.
        """
        return self.window(monday, monday + timedelta(days=6))


@dataclass(frozen=True, slots=True)
class Window:
    """Some days at the desk, and simulated time in them: seconds since they began.

    Both ends have fixed offsets from UTC, so that what lies between them is the time that passed,
    also when the clocks were changed meanwhile.
    """

    start: datetime
    end: datetime

    @classmethod
    def of_days(cls, first: date, last: date) -> Window:
        """From the midnight before the first day to that after the last."""
        return cls(_midnight(first), _midnight(last + timedelta(days=1)))

    @property
    def hours(self) -> int:
        """How long it is."""
        return (self.end - self.start) // HOUR

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def _midnight(day: date) -> datetime:
    local = datetime.combine(day, time(), tzinfo=ZONE)
    return datetime.fromisoformat(local.isoformat())


def read_log(path: Path) -> Log:
    """Read an event log.

    A START is paired with the next COMPLETE of the same activity of the same application, and
    with the oldest SCHEDULE that no START has answered yet. Rows without a partner are left
    out: a COMPLETE without START says nothing of when the work was begun, and a SCHEDULE without
    START is work that was never begun.

    Raises:
        ValueError: The file isn't a table with the columns of the log.
    """
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if missing := COLUMNS - {*(rows.fieldnames or ())}:
            named = ", ".join(sorted(missing))
            raise ValueError(f"{path}: expected a log with the columns {named}")
        return Log(tuple(_applications(rows)))


def _applications(rows: Iterable[Mapping[str, str]]) -> Iterator[Application]:
    came: dict[str, tuple[datetime, Decimal]] = {}
    work: defaultdict[str, list[tuple[str, str, datetime, str]]] = defaultdict(list)
    for row in rows:
        moment = datetime.fromisoformat(row["timestamp"])
        if row["case"] not in came:
            came[row["case"]] = moment, Decimal(row["amount"])
        if activity := ACTIVITIES.get(row["activity"]):
            work[row["case"]].append((activity, row["lifecycle"], moment, row["resource"]))
    for case, (moment, amount) in came.items():
        turns = sorted(_turns(case, work[case]), key=lambda turn: turn.start)
        yield Application(case, moment, amount, tuple(turns))


def _turns(case: str, events: list[tuple[str, str, datetime, str]]) -> Iterator[Turn]:
    scheduled: defaultdict[str, deque[datetime]] = defaultdict(deque)
    begun: dict[str, tuple[datetime | None, datetime, str]] = {}
    for activity, lifecycle, moment, staff in events:
        if lifecycle == "SCHEDULE":
            scheduled[activity].append(moment)
        elif lifecycle == "START":
            queue = scheduled[activity]
            begun[activity] = (queue.popleft() if queue else None, moment, staff)
        elif activity in begun:
            queued, start, staff = begun.pop(activity)
            is_call_back = queued is None or activity in CALLS_BY_APPOINTMENT
            due = start if queued is None or is_call_back else queued
            yield Turn(case, activity, due, start, moment, staff, is_call_back)
