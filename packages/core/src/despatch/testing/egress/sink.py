"""A sink, as the tests of an egress see it: from the side that reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from despatch.interfaces import EgressConnector
from despatch.testing.egress.arrivals import Arrival
from despatch.testing.reaching import Counterpart

__all__ = ["EgressSink"]


class EgressSink(Counterpart):
    """What an egress connector writes to, reached by a client that is not the connector's own.

    Each test gets a new one, which holds nothing yet.
    """

    @abstractmethod
    def read(self) -> Iterable[Arrival]:
        """All that is there by now, in the order in which a reader gets it.

        It does not wait for more: what the connector has confirmed is there already. Records that
        were written in JSON are read by `Arrival.from_json`.
        """

    def read_payloads(self) -> Iterable[bytes]:
        """The payloads that are there by now, as bytes; for a suite with ``carries_any_bytes``."""
        raise NotImplementedError(f"{type(self).__name__} has no `read_payloads`")

    def bad_record(self) -> Mapping[str, Any]:
        """A record that the sink will never take; for a suite with ``rejects_records``.

        Returns:
            Some of ``key``, ``value`` and ``payload``: what makes it bad.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `bad_record`")

    def connects(self, connector: EgressConnector) -> None:
        """Told of each connector that a test makes; for a sink that is part of its connector."""
