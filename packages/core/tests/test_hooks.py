from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

from despatch.hooks import HOOKS, fault_of, hookimpl, new_manager


def module(**functions):
    made = ModuleType("a_plugin")
    for name, function in functions.items():
        setattr(made, name, hookimpl(function))
    return made


def test_a_module_with_a_hook_is_a_plugin():
    assert fault_of(module(despatch_run_finished=lambda report: None)) is None


def test_an_object_with_a_hook_is_a_plugin():
    class Watcher:
        @hookimpl
        def despatch_sink_state_changed(self, state, run):
            pass

    assert fault_of(Watcher()) is None


def test_a_class_is_none():
    class Watcher:
        @hookimpl
        def despatch_run_started(self, run):
            pass

    assert fault_of(Watcher) == "is a class: expected a module, or an object of that class"


def test_an_argument_that_the_hook_does_not_have_is_named():
    fault = fault_of(module(despatch_run_finished=lambda reprot: None))
    assert fault is not None
    assert "despatch_run_finished" in fault
    assert "reprot" in fault


def test_a_hook_that_there_is_not_is_named():
    fault = fault_of(module(despatch_run_fnished=lambda report: None))
    assert fault is not None
    assert "despatch_run_fnished" in fault


def test_an_object_without_a_marked_hook_is_told_which_there_are():
    fault = fault_of(SimpleNamespace(despatch_run_finished=lambda report: None))
    assert fault is not None
    assert fault.startswith("implements no hook: expected one of despatch_run_started, ")


def test_an_async_hook_is_refused():
    async def finished(report):
        pass

    fault = fault_of(module(despatch_run_finished=finished))
    assert fault == "has an async despatch_run_finished: expected a plain function"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_arguments_and_may_have_the_run(hook):
    spec = getattr(new_manager().hook, hook).spec
    assert "run" in spec.argnames
    assert all(f"{name}: " in spec.function.__doc__ for name in spec.argnames)
