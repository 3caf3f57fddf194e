"""Task: something to do elsewhere, as data, so that anything that carries bytes can carry it.

It is apart from the executors, and imports next to nothing: a worker needs no more than this.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from despatch.errors import TaskError

__all__ = ["Task"]

_DONE, _FAILED = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do elsewhere: the name of a function, and what to give it.

    It is data, and so is its answer: what carries bytes can carry them, and nothing is pickled.

    Attributes:
        function: ``module:name`` of a function that takes and returns bytes.
        payload: What it is given.
    """

    function: str
    payload: bytes

    def perform(self) -> bytes:
        """Call the function, here. This is what an executor does at the other place.

        Returns:
            The answer, for `Task.result` to read: what the function returned or raised.
        """
        try:
            module, _, name = self.function.partition(":")
            function: Callable[[bytes], bytes] = getattr(importlib.import_module(module), name)
            return _DONE + function(self.payload)
        except (Exception, SystemExit):
            # The boundary to the function: what it raised is the answer.
            return _FAILED + traceback.format_exc().encode()

    @staticmethod
    def result(answer: bytes) -> bytes:
        """What the function returned, out of an answer.

        Raises:
            TaskError: The function raised; with its traceback.
            ValueError: This is nothing that `perform` gave.
        """
        if answer[:1] == _DONE:
            return answer[1:]
        if answer[:1] == _FAILED:
            raise TaskError(answer[1:].decode())
        raise ValueError(f"expected what Task.perform gave, not {answer[:40]!r}")
