"""A system whose state is read, as the tests of a state source see it: from the side that acts."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager

from despatch.snapshots import Snapshot
from despatch.testing.reaching import Counterpart

__all__ = ["RealSystem"]


class RealSystem(Counterpart):
    """What a state source reads, reached by a client that is not the source's own.

    Each test gets a new one, which has nothing in it yet.
    """

    @abstractmethod
    def be(self, state: Snapshot) -> None:
        """Be in this state and in no other. When this returns, a reader finds it.

        It takes a moment at most: who reads meanwhile finds this state, or the one before. One
        test calls it in another thread than all others.

        Args:
            state: Nothing is in it that a flag of the suite says the source cannot tell. Its
                `taken_at` counts where the suite has ``holds_taken_at``.
        """

    def as_read(self, state: Snapshot) -> Snapshot:
        """What is read of a state, where the system keeps less than it says.

        A system that holds nothing but text gives texts as values, for instance; the registry reads
        numbers from them. By default it is the state itself.
        """
        return state

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
