"""A source of commands, as the tests of an ingress see it: from the side that sends."""

from __future__ import annotations

from abc import abstractmethod

from despatch.testing.reaching import Counterpart

__all__ = ["CommandSource"]


class CommandSource(Counterpart):
    """What an ingress connector reads, reached by a client that is not the connector's own.

    Each test gets a new one, which holds nothing yet.
    """

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Put one message where the connector finds it. When this returns, the source has it.

        Args:
            message: Mostly a command in JSON; where the suite says that its source
                `takes_any_message`, any bytes at all.
        """
