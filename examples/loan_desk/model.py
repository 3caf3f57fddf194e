"""The loan desk as a SimPy model, driven by what really came in and steered by its roster.

Applications arrive when they really arrived, and each goes through the turns it really had. How
long it waits for staff and how long a turn takes is the model's. It starts with nobody at work:
staff come and go by live commands to ``Desk.calls.staff`` and ``Desk.assessment.staff``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias

import simpy
from log import DEFAULT_WEEK, Application, Log, Turn, Week, read_log
from pydantic import BaseModel, Field
from staffing import HOUR, TEAMS, pauses, service_times, team_of

from despatch import (
    Constant,
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Empirical,
    SimParameter,
)

__all__ = ["Desk", "WorkItem", "build", "make_model"]

Steps: TypeAlias = Generator[simpy.Event, Any, None]


class Team(SimParameter):
    """People who do the same work.

    `staff` is how many are at work; `pause` is what passes, in seconds, until one of them who is
    done with a turn begins another.
    """

    staff: int = Field(default=0, ge=0, le=200)
    pause: Distribution = Constant(value=0.0)


class Service(SimParameter):
    """How long a turn of each kind of work takes, in seconds."""

    leads: Distribution = Constant(value=120.0)
    completion: Distribution = Constant(value=300.0)
    offer_calls: Distribution = Constant(value=120.0)
    file_calls: Distribution = Constant(value=180.0)
    assessment: Distribution = Constant(value=900.0)
    fraud: Distribution = Constant(value=60.0)


class Desk(SimParameter):
    """All that can be changed while the desk is open."""

    calls: Team = Team()
    assessment: Team = Team()
    service: Service = Service()


class WorkItem(BaseModel):
    """An event: a turn of an application was queued, started or finished.

    Attributes:
        status: What happened.
        activity: Which work it is.
        is_call_back: Whether it waited for a customer before it waited for staff.
        due: Since when it has been waiting for staff, in simulated seconds; negative for what
            waited before the week began.
    """

    status: Literal["queued", "started", "finished"]
    case: str
    activity: str
    is_call_back: bool
    due: float


def build(env: DynamicEnvironment) -> None:
    """The model for a settings file: the log and the week come from the environment.

    Raises:
        ValueError: LOAN_DESK_LOG is not set, or LOAN_DESK_WEEK is no date.
    """
    path = os.environ.get("LOAN_DESK_LOG")
    if not path:
        raise ValueError("set LOAN_DESK_LOG to the path of the event log (see README.md)")
    week = os.environ.get("LOAN_DESK_WEEK")
    make_model(read_log(Path(path)), date.fromisoformat(week) if week else DEFAULT_WEEK)(env)


def make_model(log: Log, monday: date) -> Callable[[DynamicEnvironment], None]:
    """The model of one week of a log, which begins at simulated time 0."""
    week, desk = log.week(monday), desk_of(log)

    def model(env: DynamicEnvironment) -> None:
        env.registry.register("Desk", desk)
        LoanDesk(env, week).open(log)

    return model


def desk_of(log: Log) -> Desk:
    """The desk's parameters, but for the staff, as the whole log shows them."""
    pause = {team: Team(pause=_empirical(values)) for team, values in pauses(log).items()}
    service = {name: _empirical(values) for name, values in service_times(log).items()}
    return Desk(service=Service(**service), **pause)


def _empirical(values: Sequence[float], size: int = 500) -> Empirical:
    """The distribution of many values, by so many of their quantiles at the most."""
    ordered, count = sorted(values), min(size, len(values))
    return Empirical(
        values=tuple(ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count))
    )


class LoanDesk:
    """The desk: two teams, and the applications that come to them."""

    def __init__(self, env: DynamicEnvironment, week: Week) -> None:
        self.env = env
        self.week = week
        self.teams = {team: DynamicResource(env, f"Desk.{team}.staff") for team in TEAMS}

    def open(self, log: Log) -> None:
        """Start the arrivals and the hourly figures."""
        self.env.process(self.arrivals(log.applications))
        self.env.process(self.hourly_figures())

    def arrivals(self, applications: Sequence[Application]) -> Steps:
        """Let applications in when they came; those already in hand, at the beginning."""
        for application in applications:
            turns = [turn for turn in application.turns if self.is_ahead(turn)]
            if not turns:
                continue
            wait = self.week.seconds(application.arrived) - self.env.now
            if wait > 0:
                yield self.env.timeout(wait)
            self.env.process(self.application(turns))

    def is_ahead(self, turn: Turn) -> bool:
        """Whether a turn was still to be served when the week began, and due before its end."""
        return turn.due < self.week.end and turn.start >= self.week.start

    def application(self, turns: Sequence[Turn]) -> Steps:
        """One application, from turn to turn."""
        for turn in turns:
            due = self.week.seconds(turn.due)
            if due > self.env.now:
                yield self.env.timeout(due - self.env.now)
            # What waited before the week began has waited since then; what is due while the
            # turn before it is not done waits from now on.
            yield from self.serve(turn, due if due < 0 and not self.env.now else self.env.now)

    def serve(self, turn: Turn, due: float) -> Steps:
        """One turn: wait for somebody, be served."""
        self.publish("queued", turn, due)
        team = team_of(turn.activity)
        request = self.teams[team].request()
        yield request
        self.publish("started", turn, due)
        yield self.env.timeout(self.env.sample(f"Desk.service.{turn.activity}"))
        self.publish("finished", turn, due)
        self.env.process(self.pause(team, request))

    def pause(self, team: str, request: simpy.resources.resource.Request) -> Steps:
        """Whoever has finished a turn is not free for the next one at once."""
        yield self.env.timeout(self.env.sample(f"Desk.{team}.pause"))
        self.teams[team].release(request)

    def publish(
        self, status: Literal["queued", "started", "finished"], turn: Turn, due: float
    ) -> None:
        """Publish what happens to a turn."""
        item = WorkItem(
            status=status,
            case=turn.case,
            activity=turn.activity,
            is_call_back=turn.is_call_back,
            due=due,
        )
        self.env.publish_event(turn.case, item)

    def hourly_figures(self) -> Steps:
        """Publish how long the queues are and how many people are at work, every hour."""
        while True:
            for name, team in self.teams.items():
                self.env.publish_telemetry(f"Desk.{name}.queue_length", len(team.queue))
                self.env.publish_telemetry(f"Desk.{name}.at_work", team.count)
            yield self.env.timeout(HOUR.total_seconds())
