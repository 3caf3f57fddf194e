"""A pytest plugin for SimPy's own suite: its tests run on despatch's classes.

``pytest -p compatibility.suite_plugin --rebind environment,resources``. A test that would have
run on SimPy's class all the same is an error.
"""

from __future__ import annotations

from types import ModuleType

import pytest
import simpy
import simpy.rt

from compatibility.rebinding import originals_in, rebind

__all__ = ["WallClock"]

OVERSLEPT_S = 0.0001
"""How much longer than asked the operating system sleeps, in wall seconds."""


class WallClock:
    """Wall time that passes only while somebody sleeps, in wall seconds.

    SimPy's tests of its RealtimeEnvironment, which is not despatch's, allow 20 ms for all that
    happens besides sleeping, and a machine that is busy takes longer now and then.
    """

    def __init__(self) -> None:
        self._now_s = 1000.0

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds + OVERSLEPT_S


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rebind", required=True, help="environment, resources, or both with a comma between them"
    )


def pytest_configure(config: pytest.Config) -> None:
    rebind(config.getoption("--rebind"))


def pytest_collection_finish(session: pytest.Session) -> None:
    parts = session.config.getoption("--rebind")
    for item in session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        known = {**vars(item.module), **parameters}
        if originals := originals_in(known, parts):
            raise pytest.UsageError(f"{item.nodeid}: still SimPy's own: {', '.join(originals)}")
    give_a_wall_clock(simpy.rt, *{item.module for item in session.items})


def give_a_wall_clock(*modules: ModuleType) -> None:
    """Let modules that took `monotonic` and `sleep` from `time` take them from one `WallClock`."""
    clock = WallClock()
    for module in modules:
        for name in ("monotonic", "sleep"):
            if hasattr(module, name):
                setattr(module, name, getattr(clock, name))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> object:
    value = yield
    parts = request.config.getoption("--rebind")
    if originals := originals_in({fixturedef.argname: value}, parts):
        raise pytest.UsageError(f"the fixture {originals[0]} is still SimPy's own {value!r}")
    return value
