"""StateSuite: the flags and fixtures of the tests of a state source."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest

from despatch.interfaces import StateSource
from despatch.plugins import Kind
from despatch.snapshots import Snapshot
from despatch.testing.conformance import Conformance
from despatch.testing.loops import run_to_end
from despatch.testing.proxy import Proxy
from despatch.testing.secrecy import with_secrets
from despatch.testing.state.system import RealSystem

__all__ = ["MakeState", "StateSuite"]

_T = TypeVar("_T")

MakeState: TypeAlias = Callable[[], StateSource]


class StateSuite(Conformance):
    """What the tests of a state source have in common.

    The author sets `plugin`, overrides the fixture `system`, and sets to False the flags that do
    not hold.

    Attributes:
        is_networked: The source reaches the system by TCP, at the port that
            `RealSystem.settings` is given.
        may_be_empty: The system may have no value at all.
        holds_nested: A value may be a list or a mapping, such as a distribution.
        can_stall: The system can be made to give no answer: by a proxy, or where it is not
            networked, by `RealSystem.stalling`.
        patience_s: How long the tests wait for what has to come, in wall seconds.
    """

    kind = Kind.STATES
    is_networked: ClassVar[bool] = True
    may_be_empty: ClassVar[bool] = True
    holds_nested: ClassVar[bool] = True
    can_stall: ClassVar[bool] = True
    patience_s: ClassVar[float] = 30.0

    @pytest.fixture
    def system(self) -> RealSystem:
        """A new system that has no values yet; overridden by the author."""
        raise NotImplementedError(f"{type(self).__name__} has no fixture `system`")

    @pytest.fixture
    def settings(self, system: RealSystem) -> Mapping[str, Any]:
        """What the author's system says."""
        return system.settings(system.port)

    @pytest.fixture
    def port_of_nobody(self) -> Iterator[int]:
        """A port of the loopback interface at which nobody listens."""
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            yield holder.getsockname()[1]

    @pytest.fixture
    def secret_settings(
        self, plugin_class: Any, system: RealSystem, port_of_nobody: int
    ) -> Mapping[str, Any]:
        """Settings with secrets, by which no system is reached."""
        return with_secrets(plugin_class.Settings, system.settings(port_of_nobody))

    @pytest.fixture
    def simulation(self) -> str:
        """The simulation's name, which no other test has."""
        return f"conformance-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def make_state(self, plugin_class: Any, system: RealSystem, simulation: str) -> MakeState:
        """Makes a state source of the system, as each start of a run does."""
        return self.maker(plugin_class, system, system.port, simulation)

    @pytest.fixture
    def proxy(self, system: RealSystem) -> Iterator[Proxy]:
        """A proxy that stands before the system's server."""
        with Proxy(system.port) as proxy:
            yield proxy

    @pytest.fixture
    def make_far_state(
        self, plugin_class: Any, system: RealSystem, proxy: Proxy, simulation: str
    ) -> MakeState:
        """Makes a state source that reaches the system by way of the proxy, if it is networked."""
        port = proxy.port if self.is_networked else system.port
        return self.maker(plugin_class, system, port, simulation)

    def maker(self, plugin_class: Any, system: RealSystem, port: int, simulation: str) -> MakeState:
        """Makes state sources that reach the system at a port."""

        def make() -> StateSource:
            settings = plugin_class.Settings.model_validate(system.settings(port))
            made: StateSource = plugin_class(settings, simulation=simulation)
            return made

        return make

    def wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on a watched loop to its end."""
        return run_to_end(work, 4 * self.patience_s)

    async def in_time(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await what may hang."""
        limit = asyncio.timeout(self.patience_s)
        try:
            async with limit:
                return await work
        except TimeoutError:
            assert not limit.expired(), f"no end within {self.patience_s:g} s"
            raise

    @asynccontextmanager
    async def opened(self, state: StateSource) -> AsyncIterator[StateSource]:
        """Opens a state source, and closes it however the block is left."""
        try:
            await self.in_time(state.open())
            yield state
        finally:
            await self.in_time(state.close())

    async def read_once(self, state: StateSource) -> Snapshot:
        """Open a state source, read it and close it, as a run does."""
        async with self.opened(state):
            return await self.in_time(state.read())

    def read(self, state: StateSource) -> Mapping[str, Any]:
        """The values of a reading."""
        return self.wait_for(self.read_once(state)).parameters

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
