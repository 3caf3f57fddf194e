"""Answers: what a branch sends to the mainline, over a pipe that only the two of them have.

An answer is the branch's number, its kind, its length, and then its content: a pickled result, the
traceback of what was raised, or how the branch ended that has neither.

Results are pickled, which nothing else in despatch is: a branch is a copy of the very process that
reads them, so both have the same classes, no other program can write to the pipe, and nothing is
kept. So `collect` may return what it likes.
"""

from __future__ import annotations

import os
import pickle
from enum import IntEnum
from struct import Struct
from typing import Any, Final, NamedTuple

__all__ = ["Answer", "Answers", "Kind", "result_answer"]

_HEAD: Final = Struct(">IBQ")
MOST_BYTES: Final = 1024 * 1024
"""How much is taken at a time: whoever writes as fast as it is read must not hold the clock."""


class Kind(IntEnum):
    """What an answer holds."""

    RESULT = 0
    RAISED = 1
    ENDED = 2


class Answer(NamedTuple):
    """What one branch says.

    Attributes:
        number: Which branch, counted from 0; 0 where there is but one.
        kind: What the content is.
        content: A pickled result; otherwise text in UTF-8.
    """

    number: int
    kind: Kind
    content: bytes

    def send(self, fd: int) -> None:
        """Write it to a pipe, waiting for as long as its reader takes.

        Raises:
            BrokenPipeError: There is no reader.
        """
        for part in (_HEAD.pack(self.number, self.kind, len(self.content)), self.content):
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(fd, rest) :]


def result_answer(number: int, result: Any) -> Answer:
    """The answer with a result.

    Raises:
        TypeError: The result cannot be pickled.
    """
    try:
        content = pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        # Pickling calls the object's own methods, which may raise whatever they like.
        raise TypeError(
            f"collect: expected to return what can be pickled, such as numbers, texts, lists and "
            f"dicts; {type(result).__name__} cannot be: {error}"
        ) from error
    return Answer(number, Kind.RESULT, content)


class Answers:
    """Takes the answers from the reading end of a pipe, as they come.

    Args:
        fd: The reading end; it is not closed here.

    Attributes:
        has_ended: Whether the writers have gone.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._buffer = bytearray()
        self.has_ended = False

    def receive(self) -> list[Answer]:
        """What has come whole, without waiting; of what is large, a part is taken at a time."""
        taken = 0
        while not self.has_ended and taken < MOST_BYTES:
            try:
                chunk = os.read(self._fd, MOST_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                self.has_ended = True
            self._buffer += chunk
            taken += len(chunk)
        return self._split()

    def _split(self) -> list[Answer]:
        answers = []
        while len(self._buffer) >= _HEAD.size:
            number, kind, length = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            with memoryview(self._buffer) as view:
                answers.append(Answer(number, Kind(kind), bytes(view[_HEAD.size : end])))
            del self._buffer[:end]
        return answers
