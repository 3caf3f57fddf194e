"""What a resource keeps of events: who waits, and who is served.

SimPy keeps both in lists, where taking out the first, or one in the middle, moves all that come
after. These read as lists do, and take out in constant time (`Ranked`: in the time of a move).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, SupportsIndex, overload

from simpy.resources.resource import SortedQueue

__all__ = ["Ranked", "Users", "Waiting"]

_KEY: Final = attrgetter("key")


class Waiting(deque[Any]):
    """Who waits, first come first: a deque that can be sliced, and compared to a list."""

    __slots__ = ()
    __hash__ = None

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Any]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> Any:
        return list(self)[index] if isinstance(index, slice) else super().__getitem__(index)

    def __eq__(self, other: object) -> bool:
        return _is_equal(self, other)

    def __repr__(self) -> str:
        return repr(list(self))

    def pop(self, index: int = -1) -> Any:
        """Take one out, by default the last."""
        item = self[index]
        del self[index]
        return item

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place, as a list does."""
        ranked = sorted(self, key=key, reverse=reverse)
        self.clear()
        self.extend(ranked)


class Ranked(SortedQueue):
    """Who waits, by `key`; among equals, first come first.

    SimPy sorts the whole line at each arrival. Here an arrival is put into its place, which is
    the same as long as no `key` changes while it waits; who changes one sorts the line again.
    """

    def append(self, item: Any) -> None:
        """Put in its place.

        Raises:
            RuntimeError: The queue is full.
        """
        if self.maxlen is not None and len(self) >= self.maxlen:
            raise RuntimeError("Cannot append event. Queue is full.")
        insort(self, item, key=_KEY)

    def popleft(self) -> Any:
        """Take out the first."""
        return self.pop(0)


class Users(dict[Any, None]):
    """Who is served, in the order of admission.

    The keys of a dict, so that one who leaves is found at once; to be read as a sequence.
    """

    __slots__ = ()
    __hash__ = None

    def __init__(self, requests: Iterable[Any] = ()) -> None:
        super().__init__(dict.fromkeys(requests))

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        return _is_equal(self, other)

    def __repr__(self) -> str:
        return repr(list(self))

    def append(self, request: Any) -> None:
        """Admit."""
        self[request] = None

    def remove(self, request: Any) -> None:
        """Take out.

        Raises:
            ValueError: It is not there.
        """
        try:
            del self[request]
        except KeyError:
            raise ValueError(f"{request} is not being served") from None

    def index(self, request: Any) -> int:
        """Where it is.

        Raises:
            ValueError: It is not there.
        """
        return list(self).index(request)

    def count(self, request: Any) -> int:
        """1 where it is there."""
        return int(request in self)


def _is_equal(line: Iterable[Any], other: object) -> bool:
    is_sequence = isinstance(other, Sequence | Users) and not isinstance(other, str)
    return is_sequence and list(line) == list(other)  # type: ignore[call-overload]


Sequence.register(Users)
