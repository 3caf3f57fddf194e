"""Forecasts from a running simulation, by branches."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from despatch import (
    BranchError,
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Exponential,
    SettingsError,
    SimParameter,
)
from despatch.distributions.seeds import seed_of

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


class Post(SimParameter):
    clerks: int = 1
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=0.9)


def running(until=50.0):
    env = DynamicEnvironment(seed=1, start=START, name="post")
    env.registry.register("Post", Post())
    desk = DynamicResource(env, capacity="Post.clerks", statistics=True)

    def customer():
        with desk.request() as request:
            yield request
            yield env.timeout(env.sample("Post.service"))
        env.publish_event("customer", {"waiting": len(desk.queue)})
        env.publish_telemetry("Post.waiting", len(desk.queue))

    def arriving():
        while True:
            yield env.timeout(env.sample("Post.arrivals"))
            env.process(customer())

    env.process(arriving())
    env.run(until=until)
    return env, desk


WATCH = [
    {"resource": "Post.clerks", "figure": "in_system", "name": "post"},
    {"count": {}, "name": "served"},
    {"telemetry": "Post.waiting"},
]


def test_it_begins_with_what_is_and_changes_nothing():
    env, desk = running()
    waiting = desk.count + len(desk.queue)
    found = env.forecast(horizon="20s", every="5s", watch=WATCH, replications=20, workers=2)
    assert found.times == [50.0, 55.0, 60.0, 65.0, 70.0]
    assert found.wall_times[0] == datetime(2026, 1, 5, 6, 0, 50, tzinfo=UTC)
    assert (found["post"].values[:, 0] == waiting).all()
    assert (found["served"].values[:, 0] == 0).all()
    assert np.isnan(found["Post.waiting"].values[:, 0]).all()
    assert (found["served"].values[:, -1] > 0).all()
    assert found["post"].half_width[-1] > 0
    # The mainline does as if nothing had been.
    env.run(until=100)
    other, its_desk = running(until=100)
    assert (env.now, len(desk.queue)) == (other.now, len(its_desk.queue))


def test_the_same_again_is_the_same_with_any_number_of_workers():
    env, _ = running()
    given = {"horizon": "20s", "every": "5s", "watch": WATCH, "replications": 12}
    one = env.forecast(**given, workers=1)
    assert env.forecast(**given, workers=3).digest == one.digest
    assert env.forecast(**given, seed=2).digest != one.digest


def test_a_replication_is_the_branch_with_its_seed():
    env, desk = running()
    found = env.forecast(horizon=20, every=20, watch=WATCH, replications=3)
    for number in range(3):
        branch = env.branch(
            until="20s",
            reseed=seed_of(env.seed, number),
            collect=lambda env: desk.count + len(desk.queue),
        )
        assert branch.result() == found["post"].values[number, -1]


def test_scenarios_are_compared():
    env, _ = running()
    given = {"horizon": "30s", "watch": WATCH, "replications": 30}
    found = env.forecast(**given, what_if={"two": {"Post.clerks": 2}, "same": {"Post.clerks": 1}})
    assert found.comparisons["two"]["post"].estimates[-1].high < 0
    assert found.comparisons["same"]["post"].estimates[-1].half_width == 0.0


def test_what_is_not_there_is_refused_at_the_call():
    env, _ = running()
    with pytest.raises(SettingsError, match=r"watch\[0\]: Post.clerk: no such resource .*nearest"):
        env.forecast(horizon=10, watch=[{"resource": "Post.clerk", "figure": "in_service"}])
    with pytest.raises(SettingsError, match=r"what_if.more: Post.clerk: no such path"):
        env.forecast(horizon=10, watch=WATCH, what_if={"more": {"Post.clerk": 2}})
    with pytest.raises(SettingsError, match=r"forecast.watch: is required"):
        env.forecast(horizon=10, watch=[])


def test_it_stays_as_it_is_where_the_model_stops():
    env, _ = running()

    def stopping():
        yield env.timeout(7)
        env.stop("enough")

    env.process(stopping())
    served = env.forecast(horizon=20, every=5, watch=WATCH, replications=4)["served"].values
    assert served.shape == (4, 5)
    assert (served[:, 3] == served[:, 4]).all()


def test_in_an_event_it_is_refused():
    env, _ = running()
    caught = []

    def asking():
        yield env.timeout(1)
        with pytest.raises(BranchError) as error:
            env.forecast(horizon=10, watch=WATCH, replications=2)
        caught.append(error)

    env.process(asking())
    env.run(until=60)
    assert "is made when the present event is over" in str(caught[0].value)
