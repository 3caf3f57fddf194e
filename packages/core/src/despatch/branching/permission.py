"""Permission: where a branch can be had.

A copy that `fork` makes has one thread, the one that asked for it. What another thread of Python's
was about to do is not done there, and a lock that it held is held for ever: so a process with
other threads is refused. Threads that libraries have started in C are not: they run no Python and
hold none of its locks. OpenBLAS, which numpy brings, ends its own before a fork and starts them
again when they are needed (`pthread_atfork` in its memory.c). Whoever calls another library with
threads of its own from within the model has to know whether it survives a fork.
"""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType
from typing import Any, Final

import simpy

from despatch.errors import BranchError

__all__ = ["check_permission", "is_stepping"]

_INSTEAD: Final = (
    "take a snapshot of it (env.snapshot()), and run ahead from that in processes of their own "
    "(despatch.replicate)"
)
_COURIER: Final = "despatch-courier"


def check_permission(env: Any) -> None:
    """Check that a copy of this process would be an exact one.

    Raises:
        BranchError: It would not, or there is no fork.
    """
    if env.is_branch:
        raise BranchError(
            "a branch has no branches of its own: where the model branches by itself, let it look "
            "at env.is_branch first"
        )
    if not hasattr(os, "fork"):
        raise BranchError(f"this system has no fork, so there is no branch to be had; {_INSTEAD}")
    others = [each.name for each in threading.enumerate() if is_counted(each)]
    if others:
        why = f"this process has other threads ({', '.join(sorted(others))})"
        if _COURIER in others:
            why += "; with `courier: {host: process}` the courier is none of them"
        raise BranchError(f"{why}, and a fork would copy none of them; {_INSTEAD}")
    if env.stop_reason is not None:
        raise BranchError(
            f"the simulation was asked to stop ({env.stop_reason}): no branch would go any further"
        )


def is_counted(thread: threading.Thread) -> bool:
    """Whether a thread is another than the one that asks."""
    return thread is not threading.current_thread()


def is_stepping(env: simpy.Environment) -> bool:
    """Whether an event is being processed by `step` itself, which somebody called by hand."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is simpy.Environment.step.__code__ and frame.f_locals["self"] is env:
            return True
        frame = frame.f_back
    return False
