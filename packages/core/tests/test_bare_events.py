from __future__ import annotations

import subprocess
import sys
from functools import wraps

import pytest
import simpy
from simpy.core import Environment
from simpy.events import Initialize
from simpy.resources import base
from simpy.resources import container as containers
from simpy.resources import resource as resources
from simpy.resources import store as stores

from despatch import DynamicEnvironment, DynamicResource
from despatch.kernel import bare_events
from despatch.kernel.bare_events import are_simpys_own, succeed

BARE = {
    bare_events.Timeout: simpy.Timeout,
    bare_events.Initialize: Initialize,
    bare_events.Process: simpy.Process,
    bare_events.Request: resources.Request,
    bare_events.PriorityRequest: resources.PriorityRequest,
    bare_events.Release: resources.Release,
    bare_events.ContainerPut: containers.ContainerPut,
    bare_events.ContainerGet: containers.ContainerGet,
    bare_events.StorePut: stores.StorePut,
    bare_events.StoreGet: stores.StoreGet,
    bare_events.FilterStoreGet: stores.FilterStoreGet,
}


@pytest.mark.parametrize(("bare", "simpys"), BARE.items(), ids=lambda kind: kind.__qualname__)
def test_a_bare_event_is_simpys_but_for_its_constructor(bare, simpys):
    assert bare.__name__ == simpys.__name__
    assert issubclass(bare, simpys)
    assert bare.__init__ is object.__init__
    event = bare()
    assert vars(event) == {}
    assert not event.triggered


WATCHED = [
    (simpy.Timeout, "__init__"),
    (simpy.Event, "__init__"),
    (simpy.Event, "succeed"),
    (simpy.Process, "__init__"),
    (simpy.Process, "_resume"),
    (Initialize, "__init__"),
    (base.Put, "__init__"),
    (base.Put, "cancel"),
    (base.Put, "__exit__"),
    (base.Get, "__init__"),
    (base.Get, "cancel"),
    (resources.Request, "__exit__"),
    (resources.PriorityRequest, "__init__"),
    (resources.Release, "__init__"),
    (containers.ContainerPut, "__init__"),
    (containers.ContainerGet, "__init__"),
    (stores.StorePut, "__init__"),
    (stores.FilterStoreGet, "__init__"),
    (simpy.Resource, "_do_put"),
    (simpy.Resource, "_do_get"),
    (simpy.Container, "_do_put"),
    (simpy.Store, "_do_get"),
    (base.BaseResource, "_trigger_put"),
    (base.BaseResource, "_trigger_get"),
    (Environment, "schedule"),
    (Environment, "step"),
    (Environment, "timeout"),
    (Environment, "process"),
]


@pytest.mark.parametrize(("kind", "name"), WATCHED)
def test_whoever_patches_a_class_of_simpys_is_noticed_until_it_is_as_before(kind, name):
    assert are_simpys_own()
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(kind, name, lambda *args, **kwargs: None)
        assert not are_simpys_own()
    assert are_simpys_own()


@pytest.mark.parametrize("name", ["succeed", "cancel"])
def test_a_method_that_simpys_class_inherits_may_be_given_to_it(monkeypatch, name):
    monkeypatch.setattr(stores.StoreGet, name, lambda *args: None, raising=False)
    assert not are_simpys_own()


def test_who_patched_before_despatch_was_imported_is_noticed():
    code = """
import functools, simpy
made = []
init = simpy.Timeout.__init__
@functools.wraps(init)
def noting(self, *args):
    made.append(self)
    init(self, *args)
simpy.Timeout.__init__ = noting
from despatch import DynamicEnvironment
env = DynamicEnvironment()
env.timeout(1)
print(len(made))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


def customer(env, resource):
    for _ in range(3):
        with resource.request() as request:
            yield request
            yield env.timeout(1)


@pytest.mark.parametrize("kind", [simpy.Timeout, resources.Request])
def test_a_class_patched_between_two_runs_tells_of_each_event_from_then_on(kind, monkeypatch):
    env, made = DynamicEnvironment(), []
    env.process(customer(env, DynamicResource(env)))
    env.run(until=1.5)
    init = kind.__init__

    @wraps(init)
    def noting(self, *args, **kwargs):
        made.append(kind)
        init(self, *args, **kwargs)

    with monkeypatch.context() as patching:
        patching.setattr(kind, "__init__", noting)
        env.run(until=2.5)
        assert made == [kind]
    env.run()
    assert (made, env.now) == ([kind], 3)


def test_an_event_succeeds_once():
    env = DynamicEnvironment()
    event = env.event()
    succeed(event, env, "value")
    assert (event.value, event.ok, event.triggered) == ("value", True, True)
    with pytest.raises(RuntimeError, match="has already been triggered"):
        succeed(event, env)
    assert [entry[3] for entry in env._queue] == [event]
