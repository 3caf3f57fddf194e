"""StateSuite: the flags and fixtures of the tests of a state source."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final, TypeAlias

import pytest
from pydantic import BaseModel

from despatch.interfaces import StateSource
from despatch.plugins import Kind
from despatch.snapshots import Snapshot
from despatch.testing.proxy import Proxy
from despatch.testing.reaching import ReachingSuite
from despatch.testing.state.system import RealSystem

__all__ = ["MakeState", "StateSuite"]

MakeState: TypeAlias = Callable[[], StateSource]

_MOMENT: Final = datetime(2025, 1, 6, 6, 30, 15, 250_001, tzinfo=UTC)
_PARTS: Final = ("resources", "containers", "stores", "arrivals", "calendar_offset")


class StateSuite(ReachingSuite):
    """What the tests of a state source have in common.

    The author sets `plugin`, overrides the fixture `system`, and sets to False the flags that do
    not hold.

    Attributes:
        may_be_empty: The system may have no value at all.
        holds_nested: A value may be a list or a mapping, such as a distribution.
        holds_resources: A state says whom resources serve, who waits, and what is down.
        holds_containers: A state says how much is in containers.
        holds_stores: A state says which items are in stores.
        holds_arrivals: A state says when somebody came last.
        holds_calendar_offset: A state says which simulated time it is of.
        holds_taken_at: The system says when it was in a state; else that is when it is read.
        can_stall: The system can be made to give no answer: by a proxy, or where it is not
            networked, by `RealSystem.stalling`.
    """

    kind = Kind.STATES
    may_be_empty: ClassVar[bool] = True
    holds_nested: ClassVar[bool] = True
    holds_resources: ClassVar[bool] = True
    holds_containers: ClassVar[bool] = True
    holds_stores: ClassVar[bool] = True
    holds_arrivals: ClassVar[bool] = True
    holds_calendar_offset: ClassVar[bool] = True
    holds_taken_at: ClassVar[bool] = True
    can_stall: ClassVar[bool] = True

    @pytest.fixture
    def system(self) -> RealSystem:
        """A new system that has nothing in it yet; overridden by the author."""
        raise NotImplementedError(f"{type(self).__name__} has no fixture `system`")

    @pytest.fixture
    def counterpart(self, system: RealSystem) -> RealSystem:
        """The author's system."""
        return system

    @pytest.fixture
    def simulation(self) -> str:
        """The simulation's name, which no other test has."""
        return f"conformance-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def make_state(self, plugin_class: Any, system: RealSystem, simulation: str) -> MakeState:
        """Makes a state source of the system, as each start of a run does."""
        return self.maker(plugin_class, system, system.port, simulation)

    @pytest.fixture
    def make_far_state(
        self, plugin_class: Any, system: RealSystem, proxy: Proxy, simulation: str
    ) -> MakeState:
        """Makes a state source that reaches the system by way of the proxy, if it is networked."""
        port = proxy.port if self.is_networked else system.port
        return self.maker(plugin_class, system, port, simulation)

    def maker(self, plugin_class: Any, system: RealSystem, port: int, simulation: str) -> MakeState:
        """Makes state sources that reach the system at a port."""

        @cache
        def settings() -> BaseModel:
            model: BaseModel = plugin_class.Settings.model_validate(system.settings(port))
            return model

        def make() -> StateSource:
            made: StateSource = plugin_class(settings(), simulation=simulation)
            return made

        return make

    def made(self, plugin_class: Any, settings: BaseModel) -> Any:
        """The plugin, made for a simulation as the core makes it."""
        return plugin_class(settings, simulation="conformance")

    def texts_of(self, plugin: StateSource) -> Sequence[str]:
        """What the source says of itself, and where it says that it reads."""
        return [*super().texts_of(plugin), plugin.place]

    async def try_out(self, plugin: StateSource) -> None:
        """Read the state once."""
        await self.read_once(plugin)

    async def read_once(self, state: StateSource) -> Snapshot:
        """Open a state source, read it and close it, as a run does."""
        async with self.opened(state):
            return await self.in_time(state.read())

    def read(self, state: StateSource) -> Snapshot:
        """What a reading gives."""
        return self.wait_for(self.read_once(state))

    def state_of(self, **parts: Any) -> Snapshot:
        """A state of a while ago, with as much of these parts as the source can tell."""
        told = {
            name: part
            for name, part in parts.items()
            if name not in _PARTS or getattr(self, f"holds_{name}")
        }
        return Snapshot(**{"taken_at": _MOMENT, **told})

    def told(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """What a snapshot says; without its time where the system says nothing of that."""
        left_out = set() if self.holds_taken_at else {"taken_at"}
        return snapshot.model_dump(exclude=left_out)

    def told_of(self, system: RealSystem, state: Snapshot) -> Mapping[str, Any]:
        """What is to be read while the system is in a state."""
        return self.told(system.as_read(state))

    def out_of_reach(self, system: RealSystem, proxy: Proxy) -> AbstractContextManager[object]:
        """The system is out of reach for a while."""
        return proxy.refusing() if self.is_networked else system.away()

    @contextmanager
    def held_back(self, system: RealSystem, proxy: Proxy) -> Iterator[None]:
        """The system gives no answer for a while; where it cannot be made to, it just goes on."""
        if self.is_networked:
            with proxy.stalling():
                yield
        elif self.can_stall:
            with system.stalling():
                yield
        else:
            yield
