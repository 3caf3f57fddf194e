"""A model in a module of its own that can begin from a state, and a state for it, for tests."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["BUSY", "MODEL", "TAKEN_AT"]

MODEL: Final = """
from despatch import Distribution, DynamicResource, Exponential, SimParameter


class Desk(SimParameter):
    staff: int = 1
    rooms: int = 4
    arrivals: Distribution = Exponential(rate=0.5)
    service: Distribution = Exponential(rate=1.0)


def make(env):
    env.registry.register("Desk", Desk())
    return DynamicResource(env, capacity="Desk.staff", name="Desk")


def customer(env, desk, key, rest=None):
    with desk.request() as turn:
        yield turn
        yield env.timeout(env.sample("Desk.service") if rest is None else rest)
    env.publish_event(key, {"staff": desk.capacity, "left_at": env.now})


def arrivals(env, desk, first=None):
    yield env.timeout(env.sample("Desk.arrivals") if first is None else first)
    for number in range(20):
        env.process(customer(env, desk, f"new-{number}"))
        yield env.timeout(env.sample("Desk.arrivals"))


def build(env):
    env.process(arrivals(env, make(env)))


def resume(env, snapshot):
    desk = make(env)
    state = env.restore(snapshot)
    env.publish_telemetry("begins_at", env.now)
    state.resume(
        desk, lambda work: customer(env, desk, work.key, work.remaining), service="Desk.service"
    )
    env.process(arrivals(env, desk, state.until_next("customers", "Desk.arrivals")))


class Forgetful:
    @staticmethod
    def build(env):
        build(env)

    @staticmethod
    def resume(env, snapshot):
        make(env)


class Careless:
    @staticmethod
    def build(env):
        build(env)

    @staticmethod
    def resume(env, snapshot):
        make(env)
        env.restore(snapshot).last_arrival("customers")


class Hasty:
    @staticmethod
    def build(env):
        build(env)

    @staticmethod
    def resume(env, snapshot):
        desk = make(env)
        state = env.restore(snapshot)
        state.last_arrival("customers")
        state.resume(desk, lambda work: late(env, desk), service="Desk.service")


def late(env, desk):
    yield env.timeout(1)
    yield desk.request()


class Fixed:
    @staticmethod
    def build(env):
        build(env)
"""

TAKEN_AT: Final = "2026-01-05T06:00:00Z"
BUSY: Final[dict[str, Any]] = {
    "taken_at": TAKEN_AT,
    "parameters": {"Desk.staff": 2},
    "resources": {
        "Desk": {
            "in_service": [{"key": "ann", "elapsed": 2}, {"key": "bob", "remaining": 0.5}],
            "queue": [{"key": "cy", "joined": "2026-01-05T05:59:50Z"}, {"key": "dan"}],
        }
    },
    "arrivals": {"customers": "2026-01-05T05:59:59Z"},
}
