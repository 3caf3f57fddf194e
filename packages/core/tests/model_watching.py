"""Ways to watch a random model that is played, as SimPy's guide on monitoring has them."""

from __future__ import annotations

import simpy

from libraries import simpys_class
from model_playing import Activity, Play

__all__ = ["watch_callbacks", "watch_schedule", "watch_steps", "watch_steps_from_within"]


def watch_steps(played: Play) -> None:
    """Patch `env.step`, so that each event is written down as it is taken from the schedule."""
    env, step = played.env, played.env.step

    def traced() -> None:
        if env._queue:
            at, priority, number, event = env._queue[0]
            is_defused = hasattr(event, "_defused")
            played.note("steps", repr(at), priority, number, simpys_class(event), is_defused)
            played.note(played.shown(event), event._ok, played.shown(event._value))
        step()

    env.step = traced


def watch_steps_from_within(played: Play) -> None:
    """Patch `env.step` in the course of the run, by a process."""

    def watch() -> Activity:
        yield played.env.timeout(1)
        watch_steps(played)
        yield played.env.timeout(0)

    played.env.process(watch())


def watch_schedule(played: Play) -> None:
    """Patch `env.schedule`, so that it is written down what is scheduled, and for when."""
    env, schedule = played.env, played.env.schedule

    def traced(event: simpy.Event, priority: int = 1, delay: float = 0) -> None:
        played.note("schedules", simpys_class(event), priority, repr(delay))
        schedule(event, priority, delay)

    env.schedule = traced


def watch_callbacks(played: Play) -> None:
    """Add a callback to each event that the model makes."""
    played.is_watching_callbacks = True
