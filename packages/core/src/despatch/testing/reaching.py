"""Reaching: plugins that have a counterpart, and the tests that may stand between the two."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from despatch.testing.conformance import Conformance
from despatch.testing.proxy import Proxy
from despatch.testing.secrecy import with_secrets

__all__ = ["Counterpart", "ReachingSuite"]


class Counterpart(ABC):
    """What a plugin reaches, reached by a client that is not the plugin's own.

    Each test gets a new one, which holds nothing yet.

    Attributes:
        port: Where its server listens, on the loopback interface; 0 where it has none.
    """

    port: int = 0

    @abstractmethod
    def settings(self, port: int) -> Mapping[str, Any]:
        """The plugin's own settings, as a settings file says them.

        Args:
            port: Where to tell the plugin that the server is: at `port`, or at a proxy that
                stands before it. Time limits of a second or less make the tests quick.
        """


class ReachingSuite(Conformance):
    """What the tests of a plugin that has a counterpart have in common.

    Attributes:
        is_networked: The plugin reaches its counterpart by TCP, at the port that
            `Counterpart.settings` is given.
    """

    is_networked: ClassVar[bool] = True

    @pytest.fixture
    def counterpart(self) -> Counterpart:
        """What the author overrides; the class for the kind of plugin gives it another name."""
        raise NotImplementedError(f"{type(self).__name__} has no counterpart")

    @pytest.fixture
    def settings(self, counterpart: Counterpart) -> Mapping[str, Any]:
        """What the author's counterpart says."""
        return counterpart.settings(counterpart.port)

    @pytest.fixture
    def secret_settings(
        self, plugin_class: Any, counterpart: Counterpart, port_of_nobody: int
    ) -> Mapping[str, Any]:
        """Settings with secrets, by which nothing is reached."""
        return with_secrets(plugin_class.Settings, counterpart.settings(port_of_nobody))

    @pytest.fixture
    def port_of_nobody(self) -> Iterator[int]:
        """A port of the loopback interface at which nobody listens."""
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            yield holder.getsockname()[1]

    @pytest.fixture
    def proxy(self, counterpart: Counterpart) -> Iterator[Proxy]:
        """Stands before the counterpart, and misbehaves as told.

        Overridden by the author where the server has to be told of it, since it tells its clients
        where to find it, as Kafka does.
        """
        with Proxy(counterpart.port) as proxy:
            yield proxy
