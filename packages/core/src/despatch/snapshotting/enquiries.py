"""Enquiries: somebody asks a run for its present state, and the simulator answers.

It is asked by way of the courier, and answers between two events. The document may be larger than
any message: it is written into a file in the run's folder, for the courier to take. Where there is
much to say, a copy of the process says it (see `despatch.branching`), so that the clock is held
up by no more than the copying; where no copy can be had, as with the courier in a thread, the
simulator does it itself.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from despatch.errors import BranchError, StateError
from despatch.link import SnapshotAsked, SnapshotTaken
from despatch.runs import RunFolder
from despatch.supervision import Supervision

if TYPE_CHECKING:
    from despatch.branching.forking import Child
    from despatch.environment import DynamicEnvironment

__all__ = ["Enquiries"]

PATIENCE_S: Final = 2.0
"""How long an instant may go on before the answer is given in the midst of it, in wall seconds."""

AMIDST_S: Final = 0.001
"""How often it is looked whether the instant is over, in wall seconds."""

BEFORE_THE_START_S: Final = 0.05
"""How often it is looked whether the clock has started, in wall seconds."""

MUCH: Final = 500
"""With more requests and items than that, a copy of the process is asked to write."""

_LONGEST_WRITING_S: Final = 300
_LONGEST_FAULT: Final = 64 * 1024
_MODE: Final = 0o600


class Enquiries:
    """Answers who asks for the present state, one after the other.

    Args:
        env: The environment.
        folder: The run's folder.
        courier: Who asks, and gets the answer.
    """

    def __init__(self, env: DynamicEnvironment, folder: RunFolder, courier: Supervision) -> None:
        self._env = env
        self._folder = folder
        self._courier = courier
        self._asked: int | None = None
        self._asked_at = 0.0
        self._writer: _Writer | None = None

    def take(self, message: SnapshotAsked) -> None:
        """Somebody asks."""
        self._asked = message.number
        self._asked_at = time.monotonic()

    def attend(self) -> float:
        """Answer, if somebody has asked.

        In the midst of an instant there may be somebody who is in no place yet, since what brings
        it there is about to happen: so the end of the instant is waited for, though not for long;
        and so is the start of the clock.

        Returns:
            The wall time (`time.monotonic`) at which to be called again at the latest.
        """
        if self._writer is not None:
            self._hear(self._writer)
        if self._asked is None or self._writer is not None:
            return math.inf
        env = self._env
        if not env.clock.is_running:
            return time.monotonic() + BEFORE_THE_START_S
        before = env._now
        env.catch_up()
        try:
            # A run within an event is in the midst of that event.
            is_amidst = len(env._ends) > 1 or env.peek() <= env.now
            if is_amidst and time.monotonic() < self._asked_at + PATIENCE_S:
                # Not at once: a clock that is asked again and again gets no further.
                return time.monotonic() + AMIDST_S
            number, self._asked = self._asked, None
            if not (_has_much(env) and self._begin_copy(number)):
                self._tell(number, _written(env, self._folder.path, number))
        finally:
            # Nothing has happened, and nothing shows that somebody has asked.
            env._now = before
        return math.inf

    def forget(self) -> None:
        """The courier that has asked is gone, or the run is over."""
        self._asked = None
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.end(self._env)

    def sever(self) -> None:
        """In a copy of this process: leave all to the mainline."""
        self._asked = None
        if self._writer is not None:
            os.close(self._writer.child.fd)
            self._writer = None

    def _begin_copy(self, number: int) -> bool:
        """Have a copy of this process write; whether there is one."""
        from despatch.branching.forking import fork
        from despatch.branching.permission import check_permission

        env, folder = self._env, self._folder.path

        def live(fd: int, _: int) -> None:
            # What is there now is garbage in the mainline at the most.
            gc.disable()
            signal.alarm(_LONGEST_WRITING_S)
            os.write(fd, _written(env, folder, number)[-_LONGEST_FAULT:].encode())

        try:
            check_permission(env)
            child = fork(live)
        except (BranchError, OSError):
            return False
        self._writer = _Writer(number, child)
        os.set_blocking(child.fd, False)
        env.doorbell.watch(child.fd)
        return True

    def _hear(self, writer: _Writer) -> None:
        if not writer.hear():
            return
        self._writer = None
        how = writer.end(self._env)
        is_whole = (self._folder.path / _file_of(writer.number)).exists()
        fault = writer.said or ("" if is_whole else f"the process that was to write it {how}")
        self._tell(writer.number, fault)

    def _tell(self, number: int, fault: str) -> None:
        file = "" if fault else _file_of(number)
        self._courier.send([SnapshotTaken(number, file, fault)])


class _Writer:
    """A copy of this process that writes a state, and says by a pipe what is wrong with it."""

    def __init__(self, number: int, child: Child) -> None:
        self.number = number
        self.child = child
        self._said = bytearray()

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._said.decode(errors="replace")

    def hear(self) -> bool:
        """Take what it says, without waiting; whether that is all."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.child.fd, _LONGEST_FAULT):
                self._said += chunk
            return True
        return False

    def end(self, env: DynamicEnvironment) -> str:
        """Clear it away, though it may not have ended; how it ended, in words."""
        from despatch.branching.forking import reap

        env.doorbell.unwatch(self.child.fd)
        os.close(self.child.fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGKILL)
        return reap(self.child.pid)


def _written(env: DynamicEnvironment, folder: Path, number: int) -> str:
    """Write the present state, whole or not at all; what is wrong, empty where nothing is."""
    from despatch.snapshotting.document import snapshot_of

    file = folder / _file_of(number)
    beside = file.with_suffix(".new")
    try:
        content = snapshot_of(env).model_dump_json().encode()
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as new:
            new.write(content)
        beside.replace(file)
    except (StateError, OSError) as error:
        return str(error)
    except Exception as error:
        # The boundary to the model: an item's own methods may raise whatever they like, and that
        # is for whoever has asked.
        return f"{type(error).__name__}: {error}"
    return ""


def _file_of(number: int) -> str:
    return f"own-state-{number}.json"


def _has_much(env: Any) -> bool:
    many = 0
    for resource in env._roster.named.values():
        many += len(getattr(resource, "users", ())) + len(resource.put_queue)
        many += len(getattr(resource, "items", ()))
    return many > MUCH
