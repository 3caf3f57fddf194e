"""Which resources keep statistics, and under which names."""

from __future__ import annotations

import gc
import weakref

import pytest
import simpy

from despatch.environment import DynamicEnvironment
from despatch.parameters import SimParameter
from despatch.resources import (
    DynamicContainer,
    DynamicFilterStore,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
)
from despatch.resources.queues import Users, Waiting

KINDS = [
    DynamicResource,
    DynamicPriorityResource,
    DynamicPreemptiveResource,
    DynamicContainer,
    DynamicStore,
    DynamicPriorityStore,
    DynamicFilterStore,
]

every_kind = pytest.mark.parametrize("kind", KINDS)


class Lathe(SimParameter):
    capacity: int = 1
    fixtures: int = 4


@pytest.fixture
def env():
    env = DynamicEnvironment(statistics=True)
    env.registry.register("Line_A.lathe", Lathe())
    return env


@every_kind
def test_statistics_are_kept_by_those_who_are_asked_to(kind):
    env = DynamicEnvironment()
    assert kind(env, 1, statistics=True).statistics.duration == 0
    with pytest.raises(AttributeError, match=rf"this {kind.__name__} keeps no .*statistics=True"):
        kind(env, 1).statistics  # noqa: B018


@every_kind
def test_an_environment_asks_all_of_its_resources(env, kind):
    assert kind(env, 1).statistics.duration == 0
    with pytest.raises(AttributeError, match="statistics=True"):
        kind(env, 1, statistics=False).statistics  # noqa: B018


@every_kind
def test_simpys_environment_will_do(kind):
    resource = kind(simpy.Environment(), 1, statistics=True, name="desk")
    assert resource.statistics.name == "desk"


@every_kind
def test_who_is_not_asked_has_nothing_in_the_way(kind):
    resource = kind(DynamicEnvironment(), 1)
    assert resource._is_fast
    assert type(resource.put_queue) is kind.PutQueue
    assert type(getattr(resource, "users", Users())) is Users


@every_kind
def test_queues_that_tell_read_as_those_that_do_not(env, kind):
    resource = kind(env, 1)
    assert isinstance(resource.put_queue, kind.PutQueue)
    assert isinstance(resource.get_queue, kind.GetQueue)
    assert resource.put_queue == []


def test_a_subclass_may_use_the_word_for_something_else(env):
    class Own(DynamicResource):
        def __init__(self, env):
            super().__init__(env, 1)
            self.statistics = {"mine": 1}

    assert Own(env).statistics == {"mine": 1}


@every_kind
def test_a_path_is_the_name_but_for_its_last_part_where_that_is_capacity(env, kind):
    assert kind(env, "Line_A.lathe.capacity").statistics.name == "Line_A.lathe"
    signal = env.registry.signal("Line_A.lathe.fixtures")
    assert kind(env, signal).statistics.name == "Line_A.lathe.fixtures"
    assert kind(env, "Line_A.lathe.capacity").statistics.name == "Line_A.lathe-2"
    assert kind(env, "Line_A.lathe.capacity").statistics.name == "Line_A.lathe-3"
    assert kind(env, "Line_A.lathe.capacity", name="press").statistics.name == "press"
    assert kind(env, 1).statistics.name is None
    assert list(env._roster.kept) == [
        "Line_A.lathe",
        "Line_A.lathe.fixtures",
        "Line_A.lathe-2",
        "Line_A.lathe-3",
        "press",
    ]


@every_kind
def test_two_resources_may_not_be_given_one_name(env, kind):
    kind(env, 1, name="press")
    with pytest.raises(ValueError, match=r"^name: another resource .* is called 'press'"):
        kind(env, 1, name="press")
    kind(DynamicEnvironment(statistics=True), 1, name="press")


def test_a_resource_that_is_refused_leaves_no_trace(env):
    with pytest.raises(ValueError, match="capacity"):
        DynamicResource(env, 0, name="press")
    DynamicResource(env, 1, name="press")
    with pytest.raises(ValueError, match="press"):
        DynamicResource(env, "Line_A.lathe.capacity", name="press")
    env.registry.update({"Line_A.lathe.capacity": 2})
    assert list(env._roster.kept) == ["press"]


@every_kind
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"statistics": 1}, TypeError, r"^statistics: expected True, False or None, not 1"),
        ({"statistics": "yes"}, TypeError, r"^statistics: expected True, False or None"),
        ({"name": 7}, TypeError, r"^name: expected a text such as 'Line_A\.lathe', not 7"),
        ({"name": ""}, ValueError, r"^name: expected a text such as 'Line_A\.lathe', not ''"),
        ({"name": "  "}, ValueError, r"^name: expected a text"),
    ],
)
def test_wrong_arguments_are_refused_whether_or_not_statistics_are_kept(
    kind, given, error, message
):
    for env in (DynamicEnvironment(), DynamicEnvironment(statistics=True), simpy.Environment()):
        with pytest.raises(error, match=message):
            kind(env, 1, **given)


def test_the_environment_takes_yes_or_no():
    with pytest.raises(TypeError, match=r"^statistics: expected True or False, not '1m'"):
        DynamicEnvironment(statistics="1m")


def test_a_resource_without_a_name_is_not_held(env):
    gone = weakref.ref(DynamicResource(env, 1))
    gc.collect()
    assert gone() is None


def test_a_type_of_queue_that_is_no_class_is_refused(env):
    class Odd(DynamicResource):
        PutQueue = staticmethod(lambda: Waiting())

    Odd(env, 1, statistics=False)
    with pytest.raises(TypeError, match=r"^statistics: .*the type of a queue must be a class, not"):
        Odd(env, 1)


def test_a_resource_without_statistics_has_a_name_too():
    env = DynamicEnvironment()
    env.registry.register("Line_A.lathe", Lathe())
    lathe = DynamicResource(env, "Line_A.lathe.capacity")
    buffer = DynamicStore(env, name="buffer")
    nobody = DynamicResource(env, 1)
    assert env._roster.named == {"Line_A.lathe": lathe, "buffer": buffer}
    assert nobody not in env._roster.named.values()
    assert not env._roster.kept
