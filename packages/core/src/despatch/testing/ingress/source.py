"""A source of commands, as the tests of an ingress see it: from the side that sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

__all__ = ["CommandSource"]


class CommandSource(ABC):
    """What an ingress connector reads, reached by a client that is not the connector's own.

    Each test gets a new one, which holds nothing yet.

    Attributes:
        port: Where its server listens, on the loopback interface; 0 where it has none.
    """

    port: int = 0

    @abstractmethod
    def settings(self, port: int) -> Mapping[str, Any]:
        """The connector's own settings, as a settings file says them.

        Args:
            port: Where to tell the connector that the server is: at `port`, or at a proxy that
                stands before it. Time limits of a second or less make the tests quick.
        """

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Put one message where the connector finds it. When this returns, the source has it.

        Args:
            message: Mostly a command in JSON; where the suite says that its source
                `takes_any_message`, any bytes at all.
        """
