"""Keys: what those are called who are served and who wait."""

from __future__ import annotations

from collections import Counter
from typing import Any

from despatch.errors import StateError
from despatch.renderings import excerpt

__all__ = ["Keys"]

_OUTSIDE = "outside"


class Keys:
    """The keys of one snapshot.

    A process that carries a `key` is called by it. Any other is called by its generator function
    and a number, in the order in which they are met: ``customer-1``, ``customer-2``; so the same
    state has the same keys. A request that no process has made is called ``outside-1``.

    Args:
        processes: All processes that will be asked for: no number makes a key that one carries.
    """

    def __init__(self, processes: Any) -> None:
        self._known: dict[Any, str] = {}
        self._numbers: Counter[str] = Counter()
        self._given = {
            str(process.key) for process in processes if getattr(process, "key", None) is not None
        }

    def of(self, request: Any, place: str) -> str:
        """The key of whoever has made a request.

        Args:
            request: The request.
            place: Where it is in the snapshot, for a message.

        Raises:
            StateError: The process carries a key that is neither a text nor a whole number.
        """
        process = request.proc
        known = self._known.get(process) if process is not None else None
        if known is not None:
            return known
        given = getattr(process, "key", None)
        if given is None:
            key = self._next(_OUTSIDE if process is None else _name_of(process))
        elif isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
            key = str(given)
        else:
            raise StateError(
                f"{place}: the process {_name_of(process)} carries the key {excerpt(given)}: "
                "expected a text or a whole number, process.key = 'part-17'"
            )
        if process is not None:
            self._known[process] = key
        return key

    def _next(self, name: str) -> str:
        while True:
            self._numbers[name] += 1
            key = f"{name}-{self._numbers[name]}"
            if key not in self._given:
                return key


def _name_of(process: Any) -> str:
    return getattr(process, "name", None) or type(process).__name__
