"""Waits in M/M/c are those of Erlang's formula, within confidence limits.

Customers come and are served at exponential times, drawn by `env.sample` from distributions in the
registry, by servers whose number is a path. Their mean wait is estimated from the means of
batches, after a warm-up of one batch. The interval must hold the exact value and be narrow.
"""

from __future__ import annotations

import math
from array import array
from statistics import fmean, stdev

import pytest

from despatch import Distribution, DynamicEnvironment, DynamicResource, Exponential, SimParameter

BATCHES = 30
STUDENT_29 = 2.756386
"""Student's t for an interval of 99 % with 29 degrees of freedom."""
WIDEST = 0.08
"""The half-width of the interval, as a share of the exact value."""

CASES = [
    # servers, utilisation, Wq / E[S], customers in a batch
    (1, 0.9, 9.0, 32_000),
    (2, 0.9, 4.26316, 32_000),
    (5, 0.9, 1.52499, 35_000),
    (10, 0.95, 1.65117, 80_000),
]


def erlang_c(servers: int, utilisation: float) -> float:
    """The probability of a wait: A. K. Erlang, 1917; L. Kleinrock, Queueing Systems I, eq. 3.40."""
    load = servers * utilisation
    waiting = load**servers / math.factorial(servers) / (1 - utilisation)
    return waiting / (sum(load**n / math.factorial(n) for n in range(servers)) + waiting)


def mean_wait(servers: int, utilisation: float) -> float:
    """The mean wait in queue, in mean times of service."""
    return erlang_c(servers, utilisation) / (servers * (1 - utilisation))


class Office(SimParameter):
    servers: int
    arrivals: Distribution
    service: Distribution = Exponential(rate=1.0)


def waits(servers: int, utilisation: float, customers: int) -> array[float]:
    """How long each customer waited, in the order of arrival."""
    env = DynamicEnvironment(seed=1917)
    rate = servers * utilisation
    env.registry.register("Office", Office(servers=servers, arrivals=Exponential(rate=rate)))
    office = DynamicResource(env, capacity="Office.servers")
    waited = array("d")

    def customer():
        came = env.now
        with office.request() as place:
            yield place
            waited.append(env.now - came)
            yield env.timeout(env.sample("Office.service"))

    def arrivals():
        for _ in range(customers):
            yield env.timeout(env.sample("Office.arrivals"))
            env.process(customer())

    env.process(arrivals())
    env.run()
    return waited


@pytest.mark.parametrize(("servers", "utilisation", "wait"), [case[:3] for case in CASES])
def test_the_formula_gives_the_known_waits(servers, utilisation, wait):
    assert mean_wait(servers, utilisation) == pytest.approx(wait, abs=5e-6)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("servers", "utilisation", "wait", "batch"), CASES)
def test_the_mean_wait_is_erlangs(servers, utilisation, wait, batch):
    waited = waits(servers, utilisation, batch * (BATCHES + 1))
    assert len(waited) == batch * (BATCHES + 1)
    means = [fmean(waited[n * batch : (n + 1) * batch]) for n in range(1, BATCHES + 1)]
    mean, half_width = fmean(means), STUDENT_29 * stdev(means) / math.sqrt(BATCHES)
    assert half_width <= WIDEST * wait
    assert abs(mean - wait) <= half_width
