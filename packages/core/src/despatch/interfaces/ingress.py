"""Ingress: what a connector does that brings commands into a simulation."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel

from despatch.commands import LARGEST_MESSAGE_BYTES, Command, Outcome
from despatch.interfaces.health import Health
from despatch.interfaces.serializer import Serializer

__all__ = ["CAUGHT_UP", "CaughtUp", "IngressConnector"]


class _Mark(enum.Enum):
    CAUGHT_UP = enum.auto()


CAUGHT_UP: Final = _Mark.CAUGHT_UP
"""Said by a source once it has brought all that was waiting when it was opened."""
CaughtUp: TypeAlias = Literal[_Mark.CAUGHT_UP]


class IngressConnector(ABC):
    """Brings commands from one source. Lives in the courier, on its asyncio loop.

    A connector does no reconnecting: what `open` and `commands` raise is taken as passing, and
    the core opens it again. A command that comes again with the same id is applied once.

    Attributes:
        Settings: The schema of the connector's part of the settings file, with `SecretStr` for
            secrets. The names `connector, name, allow, serializer` are the core's.
        settings: The connector's settings, checked; a subclass annotates it with its own schema.
        simulation: The name of the simulation that it brings commands for.
        uses_serializer: Whether messages are bytes that `parse` reads.
        serializer: What `parse` decodes messages with; the core sets it. None reads JSON.
        brings_backlog: Whether `commands` says `CAUGHT_UP` (or ends) once what was waiting at
            the source has been brought. The run then starts its clock only after that.
    """

    Settings: ClassVar[type[BaseModel]]
    brings_backlog: ClassVar[bool] = False
    uses_serializer: ClassVar[bool] = True

    serializer: Serializer | None = None

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        self.settings = settings
        self.simulation = simulation

    @abstractmethod
    async def open(self) -> None:
        """Connect. Called before `commands`, and again after a failure."""

    @abstractmethod
    def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring commands until the source ends, which most never do.

        What cannot be read as a command is a command too, with its `fault` set
        (`parse` does that): it is refused, audited and acknowledged like any other.
        """

    async def parse(self, message: bytes, *, id: str | None = None, handle: Any = None) -> Command:
        """Read a command from a message, by the serializer where there is one.

        Args:
            message: At most 1 MiB.
            id: Names the command where the message does not.
            handle: The connector's own.

        Returns:
            The command, with its `fault` set where the message is no command.

        Raises:
            Exception: What the serializer needs to decode is out of reach, as a schema registry
                may be.
        """
        if self.serializer is None or len(message) > LARGEST_MESSAGE_BYTES:
            return Command.parse(message, id=id, handle=handle)
        try:
            fields = await self.serializer.decode(message)
        except ValueError as error:
            return Command(id=id, fault=str(error), handle=handle)
        return Command.parse(fields, id=id, handle=handle)

    @abstractmethod
    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Tell the source that a command has its outcome, which is on disk by now.

        Args:
            command: The object that `commands` gave, with the connector's own `handle`.
            outcome: What became of it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the source. Called after a failure too, and may be called twice."""

    async def check(self) -> Health:
        """Find out whether commands could be brought: is the source there, and may it be read.

        Called by ``despatch doctor`` on a connector that is not open, which stays so. Nothing is
        taken from the source.

        Raises:
            Exception: Why not; it is shown as the reason.
        """
        try:
            await self.open()
        finally:
            await self.close()
        return Health()
