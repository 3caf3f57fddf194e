"""A queue that begins from a given state is, later on, what the exact transient solution says."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest

from despatch import (
    Distribution,
    DynamicEnvironment,
    DynamicPriorityResource,
    DynamicResource,
    Exponential,
    SimParameter,
    Snapshot,
)

TAKEN_AT = datetime(2026, 1, 5, 6, tzinfo=UTC)
ARRIVALS, SERVICE, SERVERS = 1.6, 1.0, 2
TIMES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
REPLICATIONS = 1500


class Shop(SimParameter):
    capacity: int = SERVERS
    arrivals: Distribution = Exponential(rate=ARRIVALS)
    service: Distribution = Exponential(rate=SERVICE)


def distribution_at(time: float, begin: int, size: int = 200) -> np.ndarray:
    """How probable each number in an M/M/c system is after a time, by uniformisation.

    The chain is watched at the events of a Poisson process that is as fast as it can be; see W. J.
    Stewart, Introduction to the Numerical Solution of Markov Chains, 1994, section 8.4.
    """
    leaving = SERVICE * np.minimum(np.arange(size), SERVERS)
    coming = np.full(size, ARRIVALS)
    coming[-1] = 0.0  # so far out nobody is
    fastest = float((leaving + coming).max())
    jump = np.diag(1 - (leaving + coming) / fastest)
    jump += np.diag(coming[:-1] / fastest, 1) + np.diag(leaving[1:] / fastest, -1)
    state = np.zeros(size)
    state[begin] = 1.0
    found, weight = np.zeros(size), math.exp(-fastest * time)
    for k in range(int(fastest * time + 12 * math.sqrt(fastest * time) + 30)):
        found += weight * state
        state = state @ jump
        weight *= fastest * time / (k + 1)
    assert found.sum() == pytest.approx(1)
    return found


def number_in_system(snapshot: Snapshot, seed: int, kind: type, priority: bool) -> list[int]:
    env = DynamicEnvironment(seed=seed)
    env.registry.register("Shop", Shop())
    desk = kind(env, "Shop.capacity")

    def customer(rest=None):
        with desk.request(priority=3) if priority else desk.request() as turn:
            yield turn
            yield env.timeout(env.sample("Shop.service") if rest is None else rest)

    def arrivals(first):
        yield env.timeout(first)
        while True:
            env.process(customer())
            yield env.timeout(env.sample("Shop.arrivals"))

    state = env.restore(snapshot)
    state.resume(desk, lambda work: customer(work.remaining), service="Shop.service")
    env.process(arrivals(state.until_next("customers", "Shop.arrivals")))
    state.check_complete()
    found = []
    for time in TIMES:
        env.run(until=time)
        found.append(desk.count + len(desk.queue))
    return found


def state_of(begin: int, priority: int = 0) -> Snapshot:
    """So many in an M/M/c system, each for a while that is known."""

    def ago(seconds: float) -> str:
        return (TAKEN_AT - timedelta(seconds=seconds)).isoformat()

    served = [
        {"key": f"s{i}", "elapsed": 0.7 * (i + 1), "priority": priority}
        for i in range(min(begin, SERVERS))
    ]
    queue = [
        {"key": f"q{i}", "joined": ago(3.0 - 0.1 * i), "priority": priority}
        for i in range(begin - len(served))
    ]
    return Snapshot.model_validate(
        {
            "taken_at": TAKEN_AT,
            "resources": {"Shop": {"in_service": served, "queue": queue}},
            "arrivals": {"customers": ago(0.4)},
        }
    )


@pytest.mark.parametrize("begin", [0, 1, 7])
@pytest.mark.parametrize("kind", [DynamicResource, DynamicPriorityResource])
def test_the_mean_number_in_the_system_is_the_exact_one(begin, kind) -> None:
    has_priorities = kind is DynamicPriorityResource
    state = state_of(begin, 3 if has_priorities else 0)
    numbers = np.array(
        [
            number_in_system(state, 1000 * begin + seed, kind, has_priorities)
            for seed in range(REPLICATIONS)
        ]
    )
    # 99 % for all times together.
    z = NormalDist().inv_cdf(1 - 0.005 / len(TIMES))
    for column, time in zip(numbers.T, TIMES, strict=True):
        exact = distribution_at(time, begin)
        mean = float(exact @ np.arange(len(exact)))
        std = math.sqrt(float(exact @ np.arange(len(exact)) ** 2) - mean * mean)
        assert column.mean() == pytest.approx(mean, abs=z * std / math.sqrt(REPLICATIONS)), time


def test_a_queue_that_is_lost_is_found() -> None:
    state = state_of(7)
    resource = state.resources["Shop"].model_copy(update={"queue": []})
    lost = state.model_copy(update={"resources": {"Shop": resource}})
    numbers = [number_in_system(lost, seed, DynamicResource, False)[1] for seed in range(100)]
    exact = distribution_at(TIMES[1], 7)
    assert np.mean(numbers) < float(exact @ np.arange(len(exact))) - 2
