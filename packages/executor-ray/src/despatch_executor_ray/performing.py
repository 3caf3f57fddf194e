"""Performing: what a worker of Ray does with a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

__all__ = ["Perform", "performer"]

Perform: TypeAlias = Callable[[str, bytes, Sequence[str]], tuple[bytes, bytes]]

_MOST_SAID_BYTES: Final = 1_000_000


def performer() -> Perform:
    """The function that a worker calls.

    Ray carries a function that is made inside another with all it is made of, and one of a module
    by its name. This one is carried: so a worker needs despatch, and not this package.
    """

    def perform(function: str, payload: bytes, places: Sequence[str]) -> tuple[bytes, bytes]:
        """Perform a task.

        Args:
            function: The task's.
            payload: The task's.
            places: Where the program finds modules: the worker looks there last.

        Returns:
            The answer, and what was printed meanwhile: the end of it, where it is much.
        """
        import contextlib
        import io
        import sys

        from despatch.tasks import Task

        sys.path.extend(place for place in places if place not in sys.path)
        said = io.BytesIO()
        # It has a `buffer`, as the streams have whose place it takes.
        stream = io.TextIOWrapper(said, "utf-8", "backslashreplace", write_through=True)
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            answer = Task(function, payload).perform()
        return answer, said.getvalue()[-_MOST_SAID_BYTES:]

    return perform
