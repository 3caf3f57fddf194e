"""When resources take the fast path, and when they step aside."""

from __future__ import annotations

import pytest
import simpy
from simpy.resources import base

import despatch
from despatch.kernel import bare_events
from libraries import KINDS

DYNAMIC = {kind: getattr(despatch, f"Dynamic{kind}") for kind in KINDS}

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def env():
    return despatch.DynamicEnvironment()


def first_event(place):
    """What is made when somebody puts something in, or asks for a place."""
    return place.request() if isinstance(place, simpy.Resource) else place.put(1)


def is_bare(event):
    return type(event).__module__ == bare_events.__name__


@every_kind
def test_untouched_it_is_taken(env, kind):
    place = DYNAMIC[kind](env, 1)
    assert place._is_fast
    assert is_bare(first_event(place))


@every_kind
def test_a_subclass_that_leaves_the_extension_points_alone_takes_it(env, kind):
    class Own(DYNAMIC[kind]):
        colour = "red"

        def __init__(self, env):
            super().__init__(env, 2)

        def paint(self, colour):
            self.colour = colour

    assert is_bare(first_event(Own(env)))


@every_kind
@pytest.mark.parametrize(
    "point",
    ["_do_put", "_do_get", "_trigger_put", "_trigger_get", "PutQueue", "GetQueue", "capacity"],
)
def test_it_steps_aside_for_who_overrides(env, kind, point):
    overridden = type("Own", (DYNAMIC[kind],), {point: getattr(DYNAMIC[kind], point)})
    assert not is_bare(first_event(overridden(env, 1)))


@every_kind
def test_it_steps_aside_for_a_mixin_that_comes_after_it(env, kind):
    seen = []

    class Loud(base.BaseResource):
        def _trigger_put(self, event):
            seen.append(event)
            super()._trigger_put(event)

    class Own(DYNAMIC[kind], Loud):
        pass

    assert Own.__mro__.index(Loud) > Own.__mro__.index(DYNAMIC[kind])
    event = first_event(Own(env, 1))
    assert not is_bare(event)
    assert (seen, event.triggered) == ([None], True)


@every_kind
@pytest.mark.parametrize("hook", ["_do_put", "_do_get", "_trigger_put", "_trigger_get"])
def test_it_steps_aside_for_who_patches_an_instance_and_no_other(env, kind, hook):
    patched, other = DYNAMIC[kind](env, 1), DYNAMIC[kind](env, 1)
    setattr(patched, hook, getattr(patched, hook))
    assert not is_bare(first_event(patched))
    assert is_bare(first_event(other))


@pytest.mark.parametrize("hook", ["_do_put", "_trigger_get"])
def test_a_patch_may_be_taken_away_once(env, hook):
    place = DYNAMIC["Store"](env, 1)
    calls = []
    setattr(place, hook, calls.append)
    getattr(place, hook)("event")
    delattr(place, hook)
    assert calls == ["event"]
    assert getattr(place, hook).__func__ is getattr(simpy.Store, hook)
    with pytest.raises(AttributeError, match=hook):
        delattr(place, hook)


@every_kind
def test_it_is_not_taken_on_simpys_environment(kind):
    assert not is_bare(first_event(DYNAMIC[kind](simpy.Environment(), 1)))


@every_kind
def test_it_steps_aside_while_somebody_watches_the_environment(env, kind):
    place = DYNAMIC[kind](env, 3)
    env.step = lambda step=env.step: step()
    assert not is_bare(first_event(place))
    del env.step
    assert is_bare(first_event(place))


@every_kind
def test_it_steps_aside_for_who_patches_a_class_of_simpys(env, kind, monkeypatch):
    monkeypatch.setattr(simpy.Event, "succeed", simpy.Event.succeed.__get__)
    assert not DYNAMIC[kind](env, 1)._is_fast


def test_a_capacity_that_is_computed_is_asked(env):
    class Shift(despatch.DynamicResource):
        @property
        def capacity(self):
            return 1 if self._env.now < 8 else 2

    resource = Shift(env)
    requests = [resource.request() for _ in range(3)]
    assert [each.triggered for each in requests] == [True, False, False]
    env.run(until=8)
    resource.release(requests[0])
    env.run()
    assert resource.users == [requests[1]]
    last = resource.request()
    assert resource.users == [requests[1], requests[2]]
    assert not last.triggered
