"""Ingress: what a connector does that brings commands into a simulation."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel

from despatch.commands import Command, Outcome

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
            secrets. The names `connector, name, allow` are the core's.
        brings_backlog: Whether `commands` says `CAUGHT_UP` (or ends) once what was waiting at
            the source has been brought. The run then starts its clock only after that.
    """

    Settings: ClassVar[type[BaseModel]]
    brings_backlog: ClassVar[bool] = False

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
        (`Command.parse` does that): it is refused, audited and acknowledged like any other.
        """

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
