"""The loan desk as a SimPy model, driven by what really came in and steered by its roster.

Applications arrive when they really arrived, and each goes through the turns it really had. How
long it waits for staff and how long a turn takes is the model's. It starts with nobody at work:
staff come and go by live commands to ``Desk.calls.staff`` and ``Desk.assessment.staff``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import simpy
from events import Loan, Status, WorkItem, loan_of
from log import HOUR, Application, Log, Turn, read_log
from pydantic import Field
from staffing import TEAMS, pauses, service_times, team_of

from despatch import (
    Constant,
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Empirical,
    SimParameter,
)

__all__ = ["Desk", "build", "desk_of", "make_model"]

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


def build(env: DynamicEnvironment) -> None:
    """The model for a settings file: the log and the start come from the environment.

    Raises:
        ValueError: LOAN_DESK_LOG is not set, or LOAN_DESK_START is no date and time.
    """
    path = os.environ.get("LOAN_DESK_LOG")
    if not path:
        raise ValueError("set LOAN_DESK_LOG to the path of the event log (see README.md)")
    log, start = read_log(Path(path)), os.environ.get("LOAN_DESK_START")
    make_model(log, datetime.fromisoformat(start) if start else log.window().start)(env)


def make_model(log: Log, start: datetime) -> Callable[[DynamicEnvironment], None]:
    """The model of what is in a log from a moment on, which is simulated time 0."""
    desk = desk_of(log)

    def model(env: DynamicEnvironment) -> None:
        env.registry.register("Desk", desk)
        LoanDesk(env, start).open(log)

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

    def __init__(self, env: DynamicEnvironment, start: datetime) -> None:
        self.env = env
        self.start = start
        self.teams = {team: DynamicResource(env, f"Desk.{team}.staff") for team in TEAMS}

    def open(self, log: Log) -> None:
        """Start the arrivals and the hourly figures."""
        self.env.process(self.arrivals(log.applications))
        self.env.process(self.hourly_figures())

    def arrivals(self, applications: Sequence[Application]) -> Steps:
        """Let applications in when they came; those already in hand, at the beginning."""
        for application in applications:
            if all(turn.start < self.start for turn in application.turns):
                continue
            yield from self.until(application.arrived)
            self.env.process(self.application(application))

    def application(self, application: Application) -> Steps:
        """One application, from turn to turn; those begun before the start are history."""
        loan = loan_of(application)
        for number, turn in enumerate(application.turns, start=1):
            if turn.start < self.start:
                continue
            yield from self.until(turn.due)
            # What waited before the start has waited since then; what is due while the turn
            # before it is not done waits from now on.
            due = turn.due if turn.due < self.start and not self.env.now else self.moment
            yield from self.serve(loan, number, turn, due)

    def until(self, moment: datetime) -> Steps:
        """Wait for a moment, if it is still to come."""
        wait = (moment - self.start).total_seconds() - self.env.now
        if wait > 0:
            yield self.env.timeout(wait)

    @property
    def moment(self) -> datetime:
        """The date and time that it is now at the desk."""
        return self.start + timedelta(seconds=self.env.now)

    def serve(self, loan: Loan, number: int, turn: Turn, due: datetime) -> Steps:
        """One turn: wait for somebody, be served."""

        def publish(status: Status) -> None:
            item = WorkItem(
                status=status,
                loan=loan,
                turn=number,
                activity=turn.activity,
                is_call_back=turn.is_call_back,
                due=due,
            )
            self.env.publish_event(loan.case, item)

        publish("queued")
        team = team_of(turn.activity)
        request = self.teams[team].request()
        yield request
        publish("started")
        yield self.env.timeout(self.env.sample(f"Desk.service.{turn.activity}"))
        publish("finished")
        self.env.process(self.pause(team, request))

    def pause(self, team: str, request: simpy.resources.resource.Request) -> Steps:
        """Whoever has finished a turn is not free for the next one at once."""
        yield self.env.timeout(self.env.sample(f"Desk.{team}.pause"))
        self.teams[team].release(request)

    def hourly_figures(self) -> Steps:
        """Publish how long the queues are and how many people are at work, every hour."""
        while True:
            for name, team in self.teams.items():
                self.env.publish_telemetry(f"Desk.{name}.queue_length", len(team.queue))
                self.env.publish_telemetry(f"Desk.{name}.at_work", team.count)
            yield self.env.timeout(HOUR.total_seconds())
