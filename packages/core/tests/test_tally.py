from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import BaseModel

from despatch import DynamicEnvironment
from despatch.replications.tally import Tally


class PartDone(BaseModel):
    part: int


@dataclass
class PartLost:
    part: int


@pytest.fixture
def env():
    return DynamicEnvironment()


def tally(env, publish):
    found = Tally()
    env._record_into(found)
    publish(env)
    return found


def test_events_are_counted_by_type(env):
    def publish(env):
        for i in range(3):
            env.publish_event("part", {"status": "queued"})
            env.publish_event("part", PartDone(part=i))
        env.publish_event("part", PartLost(part=1))
        env.publish_event("part", object())

    found = tally(env, publish)
    assert found.events == {"untyped": 4, "PartDone": 3, "PartLost": 1}
    assert found.records == 8


def test_of_telemetry_the_last_finite_number_is_kept(env):
    def publish(env):
        for value in (1, 2.5):
            env.publish_telemetry("line.speed", value)
        env.publish_telemetry("line.whole", np.int64(7))
        env.publish_telemetry("line.half", np.float64(0.5))
        env.publish_telemetry("line.gone", 3)
        for value in (math.nan, math.inf, 10**400):
            env.publish_telemetry("line.gone", value)
        env.publish_telemetry("line.is_open", True)
        env.publish_telemetry("line.name", "A")
        env.publish_telemetry("line.object", object())

    found = tally(env, publish)
    assert found.telemetry == {
        "line.speed": 2.5,
        "line.whole": 7.0,
        "line.half": 0.5,
        "line.gone": 3.0,
    }
    assert all(type(value) is float for value in found.telemetry.values())
    assert found.events == {}


def test_what_depends_on_wall_time_is_left_out(env):
    def publish(env):
        env.publish_event("part", 1)

    def publish_more(env):
        env.publish_event("part", 1)
        env.publish_wall_telemetry("clock.lag_s", 0.1)

    one, other = tally(env, publish), tally(env, publish_more)
    assert one.digest() == other.digest()
    assert (one.records, other.records, other.telemetry) == (1, 1, {})


@pytest.mark.parametrize(
    "publish",
    [
        lambda env: env.publish_event("part-2", {"a": 1}),
        lambda env: env.publish_event("part-1", {"a": 1.0}),
        lambda env: env.publish_telemetry("part-1", {"a": 1}),
        lambda env: None,
        lambda env: env.publish_event("part-1", PartDone(part=1)),
    ],
)
def test_another_record_is_another_digest(env, publish):
    one = tally(env, lambda env: env.publish_event("part-1", {"a": 1}))
    assert tally(env, publish).digest() != one.digest()


def test_a_digest_may_be_taken_more_than_once(env):
    def publish(env):
        for i in range(20_000):
            env.publish_event("part", {"number": i, "note": "x" * 20})

    found = tally(env, publish)
    assert found.digest() == found.digest() == tally(env, publish).digest()


def test_types_may_be_numbered_already(env):
    whole = Tally()
    env._record_into(whole)
    env.publish_event("part-1", PartDone(part=1))
    env._record_on(Tally)
    env.publish_event("part-2", PartDone(part=2))
    assert env._journal.events == {"PartDone": 1}
    other = Tally(["PartDone"])
    assert other.append([0, env.now, "part-2", 1, {"part": 2}]) == 0
    assert env._journal.digest() == other.digest() != whole.digest()
