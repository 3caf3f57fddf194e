"""Forking: the copy of this process, and how it comes to its end.

The copy never returns into the frames that it was copied with: what the mainline's callers would
do there (clean up, report a test, run handlers at exit) is not its business.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["Child", "fork", "reap"]

_HELD_BACK: Final = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}
"""Those with a name: each without one would cost as much as all of them."""

_BROKEN: Final = 70
"""The exit status of a branch that could not even say what went wrong (EX_SOFTWARE)."""


class Child(NamedTuple):
    """A copy of this process.

    Attributes:
        pid: Its process id.
        fd: The reading end of the pipe that it writes to.
    """

    pid: int
    fd: int


def fork(live: Callable[[int, int], object], group: int = 0) -> Child:
    """Copy this process.

    Signals are held back until the copy has no handlers of the mainline's any more.

    Args:
        live: Called in the copy alone, with the writing end of a pipe and with this process's id.
            The copy ends when it returns.
        group: The group of processes that the copy joins; 0 is one of its own.

    Raises:
        OSError: The system has no room for another process or another pipe.
    """
    # What is buffered now would be written by both.
    flush_streams()
    read_fd, write_fd = os.pipe()
    # CPython seeds `random` anew in each copy (`os.register_at_fork` in random.py).
    state = random.getstate()
    parent = os.getpid()
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of threads that it did not start itself; `permission` says why
            # those are none to warn of.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            _be_the_copy(live, read_fd, write_fd, parent, group, masked, state)
        with contextlib.suppress(OSError):  # it may have done so itself, or be gone
            os.setpgid(pid, group)
    except OSError:
        os.close(read_fd)
        os.close(write_fd)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    os.close(write_fd)
    return Child(pid, read_fd)


def _be_the_copy(
    live: Callable[[int, int], object],
    read_fd: int,
    write_fd: int,
    parent: int,
    group: int,
    masked: set[int],
    state: tuple[object, ...],
) -> None:
    status = _BROKEN
    try:
        os.close(read_fd)
        # A group of its own: Ctrl-C in a terminal is for the mainline, and whoever is made by
        # this one can be ended with it.
        os.setpgid(0, group)
        _forget_handlers()
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        random.setstate(state)
        live(write_fd, parent)
        flush_streams()
        status = 0
    except BrokenPipeError:
        status = 0  # nobody is there any more to hear of it
    except BaseException:
        traceback.print_exc()
        flush_streams()
    finally:
        os._exit(status)


def _forget_handlers() -> None:
    """Leave each signal to the system that the mainline has a handler of Python's for."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def flush_streams() -> None:
    """Write what was printed."""
    for stream in (sys.stdout, sys.stderr):
        # There may be none, or one that is closed, or whose reader has gone: then it is for
        # whoever prints next to hear of it.
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def reap(pid: int) -> str:
    """Clear away a process of this one's that has ended, or is about to; how it ended, in words."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        # Whoever ignores SIGCHLD has the system clear away every process.
        return "ended"
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        return f"was ended ({signal.SIGALRM.name}), as it took longer than its timeout"
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended without a result (exit status {code})"
