"""Severing: what a branch leaves to the mainline, before all else."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import time
from threading import get_ident
from typing import TYPE_CHECKING, Final

from despatch.replications.tally import Tally

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["Leash", "sever"]

LOOK_S: Final = 1.0
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


class Leash:
    """A branch's attendant: ends it when whoever made it has ended.

    Args:
        parent: The process that made it.
    """

    expects_commands = False

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def attend(self) -> float:
        """Go on, or end here."""
        if os.getppid() != self._parent:
            os._exit(0)
        return time.monotonic() + LOOK_S

    def pause(self, *, is_failing: bool = False) -> None:
        """Nothing is ever left undone."""

    def sever(self) -> None:
        """Let the next copy have a leash of its own."""


def sever(env: DynamicEnvironment) -> None:
    """Cut a simulation off from the world, in a copy of its process.

    The link to the courier, the doorbell's pipe and the journals' files are closed and nothing
    more is said or written there; what was published and not yet written is left to the mainline.
    What is published from here on is tallied. There is no pace, and nobody calls.
    """
    # What is there now is garbage in the mainline at the most, and each look at it would copy it.
    gc.freeze()
    # As with replications: standard output is the mainline's, which may print its results there.
    with contextlib.suppress(OSError):
        os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
    env._is_branch = True
    if env._attendant is not None:
        env._attendant.sever()
        env.attach(None)
    env._chronicle = None
    env._calls.clear()
    if env._doorbell is not None:
        env._doorbell.close()
        env._doorbell = None
    for end in env._ends:
        env._disarm(end)
    env._ends.clear()
    env.clock.change(0.0, env.now)
    env._attend_at = math.inf
    env._hand_over(get_ident())
    env._record_on(Tally)
