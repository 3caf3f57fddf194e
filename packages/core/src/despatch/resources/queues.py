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


class _Line:
    """What a line has in common with a list, and comes before what it is kept in."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # it changes

    def __eq__(self, other: object) -> bool:
        is_list = isinstance(other, Sequence) and not isinstance(other, str)
        return is_list and self.copy() == list(other)  # type: ignore[call-overload]  # it is one

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __add__(self, others: list[Any]) -> list[Any]:
        return self.copy() + list(others)

    def __radd__(self, others: list[Any]) -> list[Any]:
        return list(others) + self.copy()

    def __repr__(self) -> str:
        return repr(self.copy())

    def copy(self) -> list[Any]:
        """A list of the same."""
        line: Any = self
        return list(line)


class Waiting(_Line, deque[Any]):  # type: ignore[misc]  # a list's methods, not a deque's
    """Who waits, first come first: a deque that can be sliced, and compared to a list."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Any]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> Any:
        return list(self)[index] if isinstance(index, slice) else super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._become(_with(self, index, value))
        else:
            super().__setitem__(index, value)

    def __delitem__(self, index: Any) -> None:
        if isinstance(index, slice):
            self._become(_without(self, index))
        else:
            super().__delitem__(index)

    def pop(self, index: int = -1) -> Any:
        """Take one out, by default the last."""
        item = self[index]
        del self[index]
        return item

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place, as a list does."""
        self._become(sorted(self, key=key, reverse=reverse))

    def _become(self, items: list[Any]) -> None:
        self.clear()
        self.extend(items)


class Ranked(SortedQueue):
    """Who waits, by `key`; among equals, first come first.

    SimPy sorts the whole line at each arrival. Here an arrival is put into its place, which is
    the same as long as no `key` changes while it waits; who changes one sorts the line again.
    """

    def append(self, item: Any) -> None:
        """Put in its place.

        Raises:
            RuntimeError: The queue is full.
            TypeError: Its priority cannot be compared to that of another.
        """
        if self.maxlen is not None and len(self) >= self.maxlen:
            raise RuntimeError("Cannot append event. Queue is full.")
        try:
            insort(self, item, key=_KEY)
        except TypeError as error:
            raise TypeError(
                f"priority: {item.key[0]!r} cannot be compared to those of others who wait: {error}"
            ) from None

    def popleft(self) -> Any:
        """Take out the first."""
        return self.pop(0)


class Users(_Line, dict[Any, None]):  # type: ignore[misc]  # a list's methods, not a dict's
    """Who is served, in the order of admission.

    The keys of a dict, so that one who leaves is found at once; to be read, and changed, as a
    list, in which nobody is twice.

    Attributes:
        admit: Puts a request behind the others, as `append` does, without a call in between.
        leave: Takes a request out, and returns what comes behind it if it is not there.
        readmit: As `admit`, for one that was admitted before now.
    """

    __slots__ = ()

    admit: Any = dict.setdefault
    readmit: Any = dict.setdefault
    leave: Any = dict.pop

    def __init__(self, requests: Iterable[Any] = ()) -> None:
        super().__init__(dict.fromkeys(requests))

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._become(_with(self, index, value))

    def __delitem__(self, index: Any) -> None:
        self._become(_without(self, index))

    def append(self, request: Any) -> None:
        """Admit."""
        self.admit(request)

    def extend(self, requests: Iterable[Any]) -> None:
        """Admit some."""
        self._become([*self, *requests])

    def insert(self, index: int, request: Any) -> None:
        """Admit before those who were admitted earlier."""
        users = list(self)
        users.insert(index, request)
        self._become(users)

    def pop(self, index: int = -1) -> Any:  # type: ignore[override]  # a list's, not a dict's
        """Take one out, by default the last."""
        request = self[index]
        del self[index]
        return request

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place, as a list does."""
        self._become(sorted(self, key=key, reverse=reverse))

    def reverse(self) -> None:
        """Turn the order round."""
        self._become(list(self)[::-1])

    def remove(self, request: Any) -> None:
        """Take out.

        Raises:
            ValueError: It is not there.
        """
        try:
            is_here = self.leave(request, self) is not self
        except TypeError:  # what has no hash is no request
            is_here = False
        if not is_here:
            raise ValueError(f"{request} is not being served")

    def index(self, request: Any) -> int:
        """Where it is.

        Raises:
            ValueError: It is not there.
        """
        return list(self).index(request)

    def count(self, request: Any) -> int:
        """1 where it is there."""
        return int(request in self)

    def _become(self, requests: list[Any]) -> None:
        self.clear()
        self.update(dict.fromkeys(requests))


def _with(line: Iterable[Any], index: Any, value: Any) -> list[Any]:
    items = list(line)
    items[index] = value
    return items


def _without(line: Iterable[Any], index: Any) -> list[Any]:
    items = list(line)
    del items[index]
    return items


Sequence.register(Users)
