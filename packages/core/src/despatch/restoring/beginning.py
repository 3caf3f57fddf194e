"""Beginning: a model is built, or takes in the state of the real system; from when on it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from despatch.errors import StateError
from despatch.renderings import counted
from despatch.snapshots import Snapshot

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment
    from despatch.restoring.initial import Initial

__all__ = ["Build", "Resume", "begin_model", "initial_time_of", "no_resume", "resume_model"]

Build: TypeAlias = "Callable[[DynamicEnvironment], object]"
"""Builds a model in an environment."""

Resume: TypeAlias = "Callable[[DynamicEnvironment, Snapshot], object]"
"""Builds a model in an environment that begins from a state."""


def begin_model(
    env: DynamicEnvironment,
    initial: Initial,
    build: Build | None,
    resume: Resume | None,
    snapshot: Snapshot | None,
) -> None:
    """Build a model, or where the state has work have it take that in, and set what it begins with.

    Args:
        env: The environment, as new.
        initial: Sets what the registry begins with.
        build: Builds the model; None leaves that to the program.
        resume: Takes the state in.
        snapshot: The state; None for none.

    Raises:
        Exception: The model's own.
        StateError: The model does not take the state, or not all of it.
        SettingsError: The model does not take the parameters of the settings.
    """
    if snapshot is not None and snapshot.has_work:
        env._initial = initial
        resume_model(env, resume, snapshot)
        return
    if build is not None:
        build(env)
    initial.take_over()
    if snapshot is not None:
        initial.take_in(snapshot.parameters)
    initial.override()


def resume_model(env: DynamicEnvironment, resume: Resume | None, snapshot: Snapshot) -> None:
    """Have a model take in a state that has work.

    Raises:
        Exception: The model's own.
        StateError: There is no `resume`, the model does not take the state, or not all of it.
    """
    if resume is None:
        raise StateError(no_resume(snapshot))
    resume(env, snapshot)
    if env._restored is None:
        raise StateError(
            "the model's `resume` has not called env.restore(snapshot), which sets the parameters "
            "and gives what puts the work in its place"
        )
    env._restored.check_complete()


def no_resume(snapshot: Snapshot) -> str:
    """What to say of a state with work where the model cannot begin from one."""
    resources = snapshot.resources.values()
    parts = [
        f"{sum(len(each.in_service) for each in resources):,} in service",
        f"{sum(len(each.queue) for each in resources):,} waiting",
        counted(len(snapshot.containers), "container"),
        counted(len(snapshot.stores), "store"),
        counted(len(snapshot.arrivals), "time") + " of arrival",
    ]
    return (
        f"it has more than parameters ({', '.join(parts)}), and the model has no function "
        "`resume(env, snapshot)` to take that in: write one beside the one that builds the model, "
        "or give it as `resume=`"
    )


def initial_time_of(snapshot: Snapshot | None, start: datetime | None) -> float:
    """The simulated time at the instant of the reading.

    It is the snapshot's `calendar_offset`; without one, what has passed between the start and
    the reading; without a start, 0.

    Args:
        snapshot: The state; None for none.
        start: The wall time of simulated 0; None where nobody said.

    Raises:
        StateError: The state is from before the start.
    """
    if snapshot is None:
        return 0.0
    if snapshot.calendar_offset is not None:
        return snapshot.calendar_offset
    if start is None:
        return 0.0
    passed_s = (snapshot.taken_at - start).total_seconds()
    if passed_s < 0:
        raise StateError(
            f"expected a state from after `clock.start` ({start.isoformat()}), and it is as of "
            f"{snapshot.taken_at.isoformat()}: simulated time cannot begin before it; set another "
            "start, or have the snapshot say its `calendar_offset`"
        )
    return passed_s
