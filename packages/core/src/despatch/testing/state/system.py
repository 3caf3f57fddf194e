"""A system whose state is read, as the tests of a state source see it: from the side that acts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from despatch.testing.reaching import Counterpart

__all__ = ["RealSystem"]


class RealSystem(Counterpart):
    """What a state source reads, reached by a client that is not the source's own.

    Each test gets a new one, which has no values yet.
    """

    @abstractmethod
    def be(self, parameters: Mapping[str, Any]) -> None:
        """Have these values and no others. When this returns, a reader finds them.

        Args:
            parameters: Dotted path to value, as a snapshot has them.
        """

    def as_read(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a snapshot says of these values, where the system keeps less than they say.

        A system that holds nothing but text gives texts, for instance; the registry reads numbers
        from them. By default it gives the values themselves.
        """
        return parameters

    def away(self) -> AbstractContextManager[object]:
        """Be out of reach for a while; for a suite with ``is_networked = False``."""
        raise NotImplementedError(f"{type(self).__name__} has no `away`")

    def damaged(self) -> AbstractContextManager[object]:
        """Give no more than half of the state for a while; for one with ``is_networked = False``.

        That is a file that is cut off, for instance.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `damaged`")

    def stalling(self) -> AbstractContextManager[object]:
        """Give no answer for a while, neither good nor bad; as for `away`, with ``can_stall``."""
        raise NotImplementedError(f"{type(self).__name__} has no `stalling`")
