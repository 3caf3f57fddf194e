"""The next hours at the desk: a model that begins with what is in hand, at the desk's own pace.

Other than `model.py` it knows nothing of what will come: work comes and is done as the days before
have shown (`pace.py`). ``LOAN_DESK_PACE`` is the file that says so.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import date, timedelta
from functools import cache, partial
from math import expm1
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import simpy
from log import ZONE
from pace import BY_ITEM, WORK, Pace, day_kind
from pydantic import BaseModel, Field
from work import HOUR_S, hour_of_week

from despatch import (
    Constant,
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    DynamicStore,
    Empirical,
    SimParameter,
    Snapshot,
    Work,
)

__all__ = ["Desk", "TurnDone", "build", "resume"]

Steps: TypeAlias = Generator[simpy.Event, Any, None]

STEP_S = 300.0
"""How often the desk turns to what waits, in simulated seconds."""

MOST_AT_ONCE = 500
"""More people than ever work on one kind of work."""


class Levels(SimParameter):
    """How high the level of something is for each kind of work, as a ratio to its usual one."""

    leads: float = Field(default=1.0, ge=0)
    completion: float = Field(default=1.0, ge=0)
    offer_calls: float = Field(default=1.0, ge=0)
    file_calls: float = Field(default=1.0, ge=0)
    assessment: float = Field(default=1.0, ge=0)
    fraud: float = Field(default=1.0, ge=0)


class Lately(SimParameter):
    """The desk's level lately: of work that comes, of first turns, and of further turns."""

    came: Levels = Levels()
    first: Levels = Levels()
    again: Levels = Levels()


class Service(SimParameter):
    """How long a turn of each kind of work takes, in seconds."""

    leads: Distribution = Constant(value=60.0)
    completion: Distribution = Constant(value=60.0)
    offer_calls: Distribution = Constant(value=60.0)
    file_calls: Distribution = Constant(value=60.0)
    assessment: Distribution = Constant(value=60.0)
    fraud: Distribution = Constant(value=60.0)


class Desk(SimParameter):
    """What a forecast may suppose to be otherwise."""

    lately: Lately = Lately()
    service: Service = Service()


class TurnDone(BaseModel):
    """A turn was done, or put aside.

    Attributes:
        activity: Which work it was.
        is_first: Whether it was the first turn of a piece of work.
    """

    activity: str
    is_first: bool


def build(env: DynamicEnvironment) -> None:
    """The desk with nothing in hand.

    Raises:
        ValueError: LOAN_DESK_PACE is not set.
    """
    Outlook(env).open()


def resume(env: DynamicEnvironment, snapshot: Snapshot) -> None:
    """The desk with what was in hand at an instant.

    Raises:
        ValueError: LOAN_DESK_PACE is not set.
        StateError: The snapshot is not of this desk.
    """
    desk = Outlook(env)
    state = env.restore(snapshot)
    for name in WORK:
        state.resume(desk.staff[name], partial(desk.rest, name), service=f"Desk.service.{name}")
    desk.open()


@cache
def _pace(path: str) -> Pace:
    return Pace.model_validate_json(Path(path).read_bytes())


@cache
def _service(path: str) -> Service:
    pace = _pace(path)
    return Service(**{name: Empirical(values=tuple(pace.service[name])) for name in WORK})


class Outlook:
    """The desk: for each kind of work a line of what waits, and the people at it."""

    def __init__(self, env: DynamicEnvironment) -> None:
        path = os.environ.get("LOAN_DESK_PACE")
        if not path:
            raise ValueError("set LOAN_DESK_PACE to the file that pace.py wrote (see README.md)")
        self.env = env
        self.pace = _pace(path)
        env.registry.register("Desk", Desk(service=_service(path)))
        self.waiting = {name: DynamicStore(env, name=f"Desk.{name}.waiting") for name in WORK}
        self.staff = {
            name: DynamicResource(env, MOST_AT_ONCE, name=f"Desk.{name}.staff") for name in WORK
        }
        self.random = np.random.default_rng(env.seed)
        self.scheduled = 0
        self.day: date | None = None
        self.today: dict[str, float] = {}

    def open(self) -> None:
        """Let the desk work."""
        self.env.process(self.work())

    def work(self) -> Steps:
        """Take in what comes and begin what is to be begun, step by step."""
        self.say_what_is_open()
        yield self.env.timeout(STEP_S / 2)
        hour = None
        while True:
            if hour != (hour := self.hour_of_week()):
                comes, begins, again, chances = self.rates(hour)
            for name, count in zip(WORK, self.random.poisson(comes), strict=True):
                for _ in range(count):
                    self.come(name)
            for name, count in zip(WORK, self.random.poisson(again), strict=True):
                for _ in range(count):
                    self.begin(name, is_first=False)
            waiting = [len(self.waiting[name].items) for name in WORK]
            first = self.random.binomial(waiting, chances) + self.random.poisson(begins)
            for name, count, most in zip(WORK, first, waiting, strict=True):
                for _ in range(min(count, most)):
                    item = yield self.waiting[name].get()
                    self.begin(name, is_first=True, case=item["case"])
            self.say_what_is_open()
            yield self.env.timeout(STEP_S)

    def hour_of_week(self) -> int:
        """Which hour it is, from Monday's first on; and which of the fitted days today is like."""
        now = self.env.wall_time().astimezone(ZONE)
        hour = hour_of_week(now)
        if self.day != now.date():
            days = self.pace.days[day_kind(hour)]
            self.day, self.today = now.date(), days[self.random.integers(len(days))]
        return hour

    def rates(self, hour: int) -> tuple[list[float], list[float], list[float], list[float]]:
        """What is to be expected of a step of this hour, for each kind of work.

        Returns:
            How much comes, how many first turns begin where that is not by item, how many further
            turns begin, and with which chance each item that waits is begun where it is.
        """

        def rate(stream: str) -> float:
            a_step = self.pace.profiles[stream][hour] * STEP_S / HOUR_S
            return a_step * self.today[stream]

        registry = self.env.registry
        level = {stream: registry[f"Desk.lately.{stream}"] * rate(stream) for stream in self.today}
        return (
            [level[f"came.{name}"] for name in WORK],
            [0.0 if name in BY_ITEM else level[f"first.{name}"] for name in WORK],
            [level[f"again.{name}"] for name in WORK],
            [-expm1(-level[f"first.{name}"]) if name in BY_ITEM else 0.0 for name in WORK],
        )

    def come(self, name: str) -> None:
        """A piece of work is scheduled: somebody begins it at once, or it waits."""
        self.scheduled += 1
        case = f"new-{self.scheduled}"
        if self.random.random() < self.pace.at_once[name]:
            self.begin(name, is_first=True, case=case)
        else:
            self.waiting[name].put({"case": case})

    def begin(self, name: str, *, is_first: bool, case: str = "") -> None:
        """Somebody begins a turn."""
        self.env.process(self.turn(name, case, is_first))

    def rest(self, name: str, work: Work) -> Steps:
        """The rest of a turn that was under way."""
        return self.turn(name, work.key, work.data["is_first"], work.remaining)

    def turn(self, name: str, case: str, is_first: bool, rest: float | None = None) -> Steps:
        """A turn, or the rest of it, and the work that it leads to."""
        with self.staff[name].request() as request:
            yield request
            service = self.env.sample(f"Desk.service.{name}") if rest is None else rest
            yield self.env.timeout(service)
            yield from self.until_open()
        self.env.publish_event(case, TurnDone(activity=name, is_first=is_first))
        for other, chance in self.pace.follow_ups["first" if is_first else "again"][name].items():
            if self.random.random() < chance:
                self.come(other)
        self.say_what_is_open()

    def until_open(self) -> Steps:
        """Wait for the next hour in which the desk is open, and then some of it."""
        closed = 0.0
        now = self.env.wall_time().astimezone(ZONE)
        while self.pace.closed[hour_of_week(now + timedelta(seconds=closed))]:
            closed += HOUR_S
        if closed:
            into_the_hour = now.minute * 60 + now.second
            yield self.env.timeout(closed - into_the_hour + HOUR_S * self.random.random())

    def say_what_is_open(self) -> None:
        """Publish how many pieces of work wait for their first turn or are being worked on."""
        waiting = sum(len(each.items) for each in self.waiting.values())
        self.env.publish_telemetry("Desk.open", waiting + sum(e.count for e in self.staff.values()))
