"""State: how the present state of a real system is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel

from despatch.interfaces.health import Health
from despatch.snapshots import Snapshot

__all__ = ["StateSource"]


class StateSource(ABC):
    """Reads the state of one real system. Lives in a process of its own, on its asyncio loop.

    It is opened, read once and closed before a run begins; what it raises refuses the run. What
    it prints or logs there is told by the run, with its name. Blocking work belongs into
    `asyncio.to_thread`.

    Attributes:
        Settings: The schema of the source's part of the settings file, with `SecretStr` for
            secrets. The names `source, timeout` are the core's.
    """

    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        self.settings = settings
        self.simulation = simulation

    @property
    def place(self) -> str:
        """Where the state is, as a person looks for it: a path, an address; no secret in it.

        It stands in messages about what the state says. Empty where there is nothing to say.
        """
        return ""

    @abstractmethod
    async def open(self) -> None:
        """Connect.

        Raises:
            Exception: Anything; it is shown as the reason.
        """

    @abstractmethod
    async def read(self) -> Snapshot:
        """Read the state as it is now; a second reading sees what has changed since.

        Raises:
            Exception: The state is out of reach, or is none; it is shown as the reason. What was
                read in part is no state.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the system. Called after a failure too, and may be called twice."""

    async def check(self) -> Health:
        """Find out whether the state could be read: is the system there, and may it be read.

        Called by ``despatch doctor`` on a source that is not open, which stays so.

        Raises:
            Exception: Why not; it is shown as the reason.
        """
        try:
            await self.open()
            await self.read()
        finally:
            await self.close()
        return Health()
