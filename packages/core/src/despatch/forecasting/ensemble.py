"""The ensemble's workers: they try out what is watched, and perform replications.

All they need comes in an `Assignment`, and what goes back are the figures that were read.
"""

from __future__ import annotations

import sys
import traceback
from array import array
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec
from msgspec import structs

from despatch.environment import DynamicEnvironment
from despatch.errors import RegistryError, SettingsError, StateError
from despatch.forecasting.counting import Counting
from despatch.forecasting.figures import Figure
from despatch.forecasting.readers import Read, UnreadableError, reader_of, unpublished
from despatch.forecasting.sampling import run_to_present, sample
from despatch.models import ModelError
from despatch.replications.beginning import Order, begin

__all__ = ["PERFORM", "TRY", "Assignment", "Fault", "One", "Outcome", "Trial", "perform", "try_out"]

PERFORM: Final = "despatch.forecasting.ensemble:perform"
"""`perform`, as a task names it."""

TRY: Final = "despatch.forecasting.ensemble:try_out"
"""`try_out`, as a task names it."""


class One(msgspec.Struct, frozen=True, array_like=True):
    """One replication of an assignment.

    Attributes:
        scenario: Which scenario, counted from 0.
        number: Which replication of it, counted from 0.
        seed: The seed of its random streams.
    """

    scenario: int
    number: int
    seed: int


class Assignment(msgspec.Struct, kw_only=True, frozen=True):
    """What a worker has to do.

    Attributes:
        order: What all replications are made of, but for their numbers, seeds and scenarios.
        figures: What is watched.
        times: At which simulated times, growing.
        scenarios: What is otherwise in each scenario, by path.
        ones: The replications.
    """

    order: Order
    figures: list[Figure]
    times: list[float]
    scenarios: list[Mapping[str, Any]]
    ones: list[One]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one replication.

    Attributes:
        one: Which one.
        values: Its figures, one after the other, a float of 64 bits for each time, the least
            significant byte first.
        raised: The traceback of what the model raised, and then there are no values.
    """

    one: One
    values: bytes = b""
    raised: str = ""


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """What is asked for, and the model does not have.

    Attributes:
        of: Whether of a watched figure, of a scenario, or of what every replication begins with.
        index: Which figure or scenario.
        reason: What it has instead.
    """

    of: Literal["watch", "what_if", "model", "state", "parameters"]
    index: int
    reason: str


class Trial(msgspec.Struct, frozen=True, array_like=True):
    """What came of trying out.

    Attributes:
        faults: What the model does not have.
        outcome: The first replication, where it took one to find out.
    """

    faults: list[Fault]
    outcome: Outcome | None = None


def try_out(payload: bytes) -> bytes:
    """Find out whether the model has all that an encoded `Assignment` asks for; a `Trial`.

    Telemetry is not there until it is published. Where it is watched, the first replication is
    run to its end.

    Raises:
        Exception: The model's own, before its first event.
    """
    assignment = msgspec.msgpack.decode(payload, type=Assignment)
    one, figures = assignment.ones[0], assignment.figures
    counting = Counting(figures)
    try:
        env = begin(_order(assignment, one), counting)
    except ModelError as error:
        return msgspec.msgpack.encode(Trial([Fault("model", 0, str(error))]))
    except StateError as error:
        return msgspec.msgpack.encode(Trial([Fault("state", 0, str(error))]))
    except SettingsError as error:
        reasons = [Fault("parameters", 0, each.message) for each in error.problems]
        return msgspec.msgpack.encode(Trial(reasons))
    faults = [
        Fault("what_if", index, reason)
        for index, changes in enumerate(assignment.scenarios)
        if (reason := _refused(env, changes)) is not None
    ]
    run_to_present(env)
    reads: list[Read] = []
    for index, figure in enumerate(figures):
        try:
            reads.append(reader_of(figure, env, counting))
        except UnreadableError as error:
            faults.append(Fault("watch", index, str(error)))
    required = [
        (index, figure)
        for index, figure in enumerate(figures)
        if figure.kind == "telemetry" and figure.initial is None
    ]
    if faults or not required:
        return msgspec.msgpack.encode(Trial(faults))
    outcome = _outcome(one, lambda: sample(env, reads, assignment.times))
    if not outcome.raised:
        faults = [
            Fault("watch", index, unpublished(figure, counting.published))
            for index, figure in required
            if figure.of not in counting.telemetry
        ]
    return msgspec.msgpack.encode(Trial(faults, outcome))


def perform(payload: bytes) -> bytes:
    """Perform the replications of an encoded `Assignment`; their encoded `Outcome`, in a list."""
    assignment = msgspec.msgpack.decode(payload, type=Assignment)
    outcomes = []
    for one in assignment.ones:
        outcomes.append(_outcome(one, partial(_performed, assignment, one)))
        if outcomes[-1].raised:
            break
    return msgspec.msgpack.encode(outcomes)


def _performed(assignment: Assignment, one: One) -> array[float]:
    figures = assignment.figures
    counting = Counting(figures) if Counting.is_needed(figures) else None
    env = begin(_order(assignment, one), counting)
    run_to_present(env)
    reads = [reader_of(figure, env, counting) for figure in figures]
    return sample(env, reads, assignment.times)


def _order(assignment: Assignment, one: One) -> Order:
    order = assignment.order
    parameters = {**order.parameters, **assignment.scenarios[one.scenario]}
    return structs.replace(order, number=one.number, seed=one.seed, parameters=parameters)


def _outcome(one: One, read: Callable[[], array[float]]) -> Outcome:
    try:
        values = read()
    except (Exception, SystemExit):
        # The boundary to the model: what it raised is the outcome.
        return Outcome(one, raised=traceback.format_exc())
    if sys.byteorder == "big":
        values.byteswap()
    return Outcome(one, values.tobytes())


def _refused(env: DynamicEnvironment, changes: Mapping[str, Any]) -> str | None:
    """Why the registry does not take what is otherwise in a scenario."""
    if not changes:
        return None
    try:
        env.registry.check(changes)
    except RegistryError as error:
        return str(error)
    return None
