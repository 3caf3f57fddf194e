"""IngressSuite: the flags and fixtures of the tests of an ingress connector."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest
from pydantic import BaseModel

from despatch.interfaces import IngressConnector
from despatch.plugins import Kind
from despatch.testing.declared import Declared
from despatch.testing.ingress.messages import setting
from despatch.testing.ingress.reading import Reading
from despatch.testing.ingress.source import CommandSource
from despatch.testing.reaching import ReachingSuite

__all__ = ["IngressSuite", "MakeIngress"]

_T = TypeVar("_T")

MakeIngress: TypeAlias = Callable[[], IngressConnector]


class IngressSuite(ReachingSuite):
    """What the tests of an ingress connector have in common.

    The author sets `plugin`, overrides the fixture `source`, and sets to False the flags that do
    not hold. `brings_backlog` and `uses_serializer` are what the connector's class says.

    Attributes:
        is_live: What is sent while the connector is open is brought; otherwise all there is was
            there when it was opened.
        carries_messages: The source carries messages, which may be any bytes; otherwise it holds
            commands of its own, with updates and a time.
        takes_oversized: The source takes a message of a little more than 1 MiB.
        keeps_order: Commands come in the order in which they were sent.
        keeps_messages: What is sent while no connector is there waits for the next one, once
            one has been there.
        redelivers: What was brought and not acknowledged comes again, on another connection or
            to another connector.
        names_messages: The source has a name of its own for each message, which its command gets
            that says no id. Otherwise only a command that says its id is known again.
        acknowledges: What was acknowledged does not come again.
        notices_silence: A connection over which nothing comes any more, without a word, is
            noticed in the end, such as by a heartbeat.
        brings_backlog: As the connector's class says; not set by the author.
        uses_serializer: Likewise.
    """

    kind = Kind.INGRESS
    is_live: ClassVar[bool] = True
    carries_messages: ClassVar[bool] = True
    takes_oversized: ClassVar[bool] = True
    keeps_order: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    redelivers: ClassVar[bool] = True
    names_messages: ClassVar[bool] = True
    acknowledges: ClassVar[bool] = True
    notices_silence: ClassVar[bool] = True

    brings_backlog = Declared("brings_backlog")
    uses_serializer = Declared("uses_serializer")

    @pytest.fixture
    def source(self) -> CommandSource:
        """A new source that holds nothing yet; overridden by the author."""
        raise NotImplementedError(f"{type(self).__name__} has no fixture `source`")

    @pytest.fixture
    def counterpart(self, source: CommandSource) -> CommandSource:
        """The author's source."""
        return source

    @pytest.fixture
    def simulation(self) -> str:
        """The simulation's name, which no other test has."""
        return f"conformance-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def make_ingress(
        self, plugin_class: Any, source: CommandSource, simulation: str
    ) -> MakeIngress:
        """Makes a connector to the source, as each start of a courier does."""

        def make() -> IngressConnector:
            settings = plugin_class.Settings.model_validate(source.settings(source.port))
            made: IngressConnector = plugin_class(settings, simulation=simulation)
            return made

        return make

    def made(self, plugin_class: Any, settings: BaseModel) -> Any:
        """The plugin, made for a simulation as the core makes it."""
        return plugin_class(settings, simulation="conformance")

    def reading(self, ingress: IngressConnector) -> Reading:
        """Reads a connector, until the block is left."""
        return Reading(ingress, self.patience_s)

    def named(self, level: int) -> bytes:
        """A message that sets the parameter, and is known again when it comes again."""
        return setting(level) if self.names_messages else setting(level, id=f"kit-{level}")

    async def send(self, source: CommandSource, *messages: bytes) -> None:
        """Put messages at the source, from a thread of its own."""
        for message in messages:
            await asyncio.to_thread(source.send, message)

    async def introduce(self, ingress: IngressConnector) -> None:
        """Open a connector and close it, so that the source knows for whom to keep messages."""
        async with self.reading(ingress):
            pass

    def in_order(self, found: Sequence[_T]) -> Sequence[_T]:
        """What was found, as comparable with the order of sending."""
        return found if self.keeps_order else sorted(found)  # type: ignore[type-var]
