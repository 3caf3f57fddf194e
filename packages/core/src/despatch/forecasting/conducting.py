"""Conducting: an ensemble is tried out, and performed round after round until it is exact enough.

How many replications there are depends on what they say, and neither on who performs them nor on
how fast: a round is over when all of it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import numpy as np
from msgspec import structs

from despatch.distributions.seeds import seed_of
from despatch.errors import (
    DespatchError,
    Problem,
    ReplicationError,
    SettingsError,
    StateError,
)
from despatch.forecasting.ensemble import PERFORM, TRY, Assignment, Fault, One, Outcome, Trial
from despatch.forecasting.outlook import Array, Outlook
from despatch.forecasting.stopping import confidence_of_a_look, is_exact_enough
from despatch.interfaces import Task
from despatch.replications.performing import Crew, UndoneError
from despatch.settings.forecast import PrecisionSettings

__all__ = ["Conductor", "Plan", "Progress"]

Progress: TypeAlias = Callable[[int, int], object]
"""Called with how many replications are done, and how many there are at most."""

_Kind = TypeVar("_Kind")

_MOST_AT_ONCE: Final = 32
_TASKS_A_WORKER: Final = 16


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an ensemble is to do.

    Attributes:
        assignment: What a worker gets, without replications; its first scenario is the base.
        scenarios: What each scenario is called.
        seed: What the seeds are made from.
        looks: After how many replications of each scenario there is a look.
        precision: When it is exact enough; None is never.
        confidence: Of the answer.
        refused: Makes the error that says why the model does not take the state.
    """

    assignment: Assignment
    scenarios: Sequence[str]
    seed: int
    looks: Sequence[int]
    precision: PrecisionSettings | None
    confidence: float
    refused: Callable[[str], StateError] = StateError


class Conductor:
    """Has a crew perform what is planned.

    Args:
        plan: What is to be done.
        called: What the executor is called in messages.
        conceal: Takes secrets out of a text.
        progress: Is told how it goes.
    """

    def __init__(
        self,
        plan: Plan,
        called: str,
        conceal: Callable[[str], str],
        progress: Progress | None = None,
    ) -> None:
        self._plan = plan
        self._called = called
        self._conceal = conceal
        self._progress = progress
        assignment = plan.assignment
        shape = (plan.looks[-1], len(assignment.figures), len(assignment.times))
        self._values = [np.full(shape, np.nan) for _ in plan.scenarios]
        self._performed: set[tuple[int, int]] = set()

    async def conduct(self, crew: Crew) -> tuple[list[Array], bool | None]:
        """Try out, and perform.

        Returns:
            The figures of each scenario, replications by figures by grid points; and whether they
            are as exact as they were asked to be, None where they were not.

        Raises:
            SettingsError: There is no such model, it has not what is watched, or it does not take
                a scenario or the parameters of the settings.
            StateError: It does not take the state.
            ReplicationError: A model raised, or a worker was lost 3 times.
        """
        plan, done, is_exact = self._plan, 0, None
        self._tell()
        await self._try_out(crew)
        for look in plan.looks:
            await self._perform(crew, self._ones(done, look))
            done = look
            if plan.precision is not None:
                is_exact = is_exact_enough(self._outlooks(done), plan.precision)
                if is_exact:
                    break
        return [values[:done] for values in self._values], is_exact

    async def _try_out(self, crew: Crew) -> None:
        ones = [One(0, 0, seed_of(self._plan.seed, 0))]
        (result,) = await self._results(crew, [ones], function=TRY)
        trial = self._decoded(ones, result, Trial)
        if trial.faults:
            raise self._refused(trial.faults)
        if trial.outcome is not None:
            self._take(ones, [trial.outcome])

    def _refused(self, faults: Sequence[Fault]) -> DespatchError:
        first = faults[0]
        if first.of == "state":
            return self._plan.refused(first.reason)
        places: dict[str, Callable[[Fault], str]] = {
            "watch": lambda fault: f"forecast.watch[{fault.index}]",
            "what_if": lambda fault: f"forecast.what_if.{self._plan.scenarios[fault.index]}",
        }
        return SettingsError(
            [
                Problem(places[each.of](each) if each.of in places else each.of, each.reason)
                for each in faults
            ]
        )

    def _ones(self, begin: int, end: int) -> list[One]:
        ones = []
        for number in range(begin, end):
            seed = seed_of(self._plan.seed, number)
            for scenario in range(len(self._plan.scenarios)):
                if (scenario, number) not in self._performed:
                    ones.append(One(scenario, number, seed))
        return ones

    async def _perform(self, crew: Crew, ones: list[One]) -> None:
        # Small enough that workers end together, and no smaller: what all have in common may be
        # long. What comes out does not depend on it.
        size = max(1, min(_MOST_AT_ONCE, len(ones) // (crew.workers * _TASKS_A_WORKER)))
        groups = [ones[i : i + size] for i in range(0, len(ones), size)]

        def take(index: int, result: bytes) -> None:
            self._take(groups[index], self._decoded(groups[index], result, list[Outcome]))

        if groups:
            await self._results(crew, groups, take)

    async def _results(
        self,
        crew: Crew,
        groups: Sequence[list[One]],
        take: Callable[[int, bytes], object] | None = None,
        function: str = PERFORM,
    ) -> list[bytes]:
        try:
            return await crew.perform(_Tasks(function, self._plan.assignment, groups), take)
        except UndoneError as undone:
            group = groups[undone.index]
            others = "" if len(group) == 1 else f", or one of {len(group) - 1} that came with it"
            raise self._failed(group[0], f"{undone}{others}") from undone

    def _decoded(self, ones: Sequence[One], result: bytes, kind: type[_Kind]) -> _Kind:
        try:
            return msgspec.msgpack.decode(result, type=kind)
        except msgspec.DecodeError as error:
            told = f"{self._called} has answered with something else than a replication: {error}"
            raise self._failed(ones[0], told) from error

    def _take(self, ones: Sequence[One], outcomes: Sequence[Outcome]) -> None:
        for one, outcome in zip(ones, outcomes, strict=False):
            if outcome.one != one:
                told = f"{self._called} has answered with replication {outcome.one.number}"
                raise self._failed(one, told)
            if outcome.raised:
                raise self._failed(one, f"it raised\n{outcome.raised}")
            values = self._values[one.scenario]
            figures = np.frombuffer(outcome.values, "<f8")
            values[one.number] = figures.reshape(values.shape[1:])
            self._performed.add((one.scenario, one.number))
        if len(outcomes) < len(ones):
            told = f"{self._called} has answered for {len(outcomes)} of {len(ones)} replications"
            raise self._failed(ones[0], told)
        self._tell()

    def _failed(self, one: One, told: str) -> ReplicationError:
        where = f"in scenario {self._plan.scenarios[one.scenario]}: " if one.scenario else ""
        return ReplicationError(one.number, one.seed, where + self._conceal(told))

    def _outlooks(self, done: int) -> list[Outlook]:
        confidence = confidence_of_a_look(self._plan.confidence, len(self._plan.looks))
        return [
            Outlook(figure, values[:done, i, :], (), confidence)
            for values in self._values
            for i, figure in enumerate(self._plan.assignment.figures)
        ]

    def _tell(self) -> None:
        if self._progress is not None:
            most = self._plan.looks[-1] * len(self._plan.scenarios)
            self._progress(len(self._performed), most)


class _Tasks(Sequence[Task]):
    """The tasks of assignments, each made when it is its turn: a state may be long."""

    def __init__(self, function: str, assignment: Assignment, groups: Sequence[list[One]]) -> None:
        self._function = function
        self._assignment = assignment
        self._groups = groups

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: Any) -> Any:
        if index >= len(self._groups):
            raise IndexError(index)
        assigned = structs.replace(self._assignment, ones=self._groups[index])
        return Task(self._function, msgspec.msgpack.encode(assigned))
