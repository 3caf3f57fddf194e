"""Branching: keeps the branches of one environment, and makes them between two events."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

from despatch.branching.forking import fork
from despatch.branching.handles import Branch, Branches, Handle
from despatch.branching.permission import check_permission, is_stepping
from despatch.branching.plan import Plan
from despatch.branching.severing import sever
from despatch.branching.template import Template
from despatch.distributions.seeds import seed_of
from despatch.errors import BranchError

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["Branching"]

_log = logging.getLogger("despatch")

LONGEST_WAIT_S: Final = 3600.0

_Handle = TypeVar("_Handle", bound=Handle[Any])


class Branching:
    """The branches of an environment; what `Interlude` says is what its loop calls.

    Args:
        env: The environment.
    """

    def __init__(self, env: DynamicEnvironment) -> None:
        self.env = env
        self._made = 0
        self._asked_for: deque[Handle[Any]] = deque()
        self._awaited: deque[Handle[Any]] = deque()
        self._running: list[Handle[Any]] = []

    def branch(self, plan: Plan, reseed: int | bool | None) -> Branch[Any]:
        """Have one branch made."""
        self._check()
        number, self._made = self._made, self._made + 1

        def live(fd: int, parent: int) -> None:
            self._leave()
            seed = reseed
            if seed is True:
                seed = seed_of(self.env.seed, number, 0)
            plan.carry_out(self.env, fd, parent, 0, None if seed is False else seed)

        return self._ask_for(Branch(self, "the branch", live, 1))

    def branches(self, plan: Plan, count: int, workers: int, seed: int) -> Branches[Any]:
        """Have several branches made."""
        self._check()
        self._made += 1

        def live(fd: int, parent: int) -> None:
            self._leave()
            Template(plan, count, workers, seed).make_all(self.env, fd, parent)

        return self._ask_for(Branches(self, "branch", live, count))

    @property
    def is_due(self) -> bool:
        """Whether there is a branch to be made, or to be waited for."""
        return bool(self._asked_for or self._awaited)

    def between_events(self) -> None:
        """Make the branches that were asked for, and wait for those that somebody waits for."""
        if len(self.env._ends) > 1:
            return  # a run within an event, which is not over
        while self.is_due and self.env.stop_reason is None:
            while self._asked_for:
                self._make_or_fail(self._asked_for.popleft())
            # An interrupt may leave it to the next run.
            if self._awaited and self._is_held(self._awaited[0]):
                self._awaited.popleft()

    def attend(self) -> None:
        """Take what branches have answered."""
        for handle in tuple(self._running):
            handle.hear()
            if handle.has_come:
                self._running.remove(handle)
                if handle.fault and not handle.is_planned:
                    _log.warning("%s (nobody has waited for it so far)", handle.fault)

    def end(self, error: BaseException | None) -> None:
        """A run has ended: what it asked for in its last event is made now."""
        if len(self.env._ends) > 1:
            return
        while self._asked_for:
            handle = self._asked_for.popleft()
            if error is None:
                self._make_or_fail(handle)
            else:
                how = f"{type(error).__name__}: {error}"
                handle.give_up(f"was not made: the run has ended by {how}")

    def wait_for(self, handle: Handle[Any]) -> None:
        """Somebody waits for it."""
        if not handle.is_planned and handle not in self._awaited:
            self._awaited.append(handle)
            self._interrupt()

    def forget(self, handle: Handle[Any]) -> None:
        """It was cancelled."""
        if handle in self._asked_for:
            self._asked_for.remove(handle)
        if handle in self._running:
            self._running.remove(handle)

    def _check(self) -> None:
        env = self.env
        check_permission(env)
        if len(env._ends) > 1:
            raise BranchError(
                "this is a run within an event of another run, in the middle of which there is no "
                "branch to be made: branch in the outer run"
            )
        if not env._ends and is_stepping(env):
            raise BranchError(
                "this event is processed by env.step, after which nobody makes a branch: use "
                "env.run, or branch between two steps"
            )

    def _ask_for(self, handle: _Handle) -> _Handle:
        if not self.env._ends:
            self._make(handle)
        else:
            self._asked_for.append(handle)
            self._interrupt()
        return handle

    def _interrupt(self) -> None:
        """Have the loop look between this event and the next."""
        if self.env.clock.factor:
            self.env._end_turn()  # it may be asleep, and this be the handler of a signal
        else:
            self.env._use_up_turn()

    def _make_or_fail(self, handle: Handle[Any]) -> None:
        if self.env.is_branch:
            return  # it has come already
        try:
            check_permission(self.env)
            self._make(handle)
        except BranchError as error:
            handle.give_up(f"was not made: {error}")

    def _make(self, handle: Handle[Any]) -> None:
        try:
            child = fork(handle.live)
        except OSError as error:
            raise BranchError(f"the system makes no other process: {error.strerror}") from error
        handle.begin(child)
        handle.listen(self.env.doorbell)
        self._running.append(handle)

    def _is_held(self, handle: Handle[Any]) -> bool:
        """Let no event pass until the result is there, commands attended to; whether it is."""
        env = self.env
        if not handle.is_planned:
            # At once: so commands that come meanwhile find the same event before them in a replay.
            handle.plan()
        while not handle.has_come:
            if env.stop_reason is not None:
                return False
            handle.listen(env.doorbell)
            wait_s = min(env._attend_at - time.monotonic(), LONGEST_WAIT_S)
            env.doorbell.wait(max(0.0, wait_s))
            env._attend()
        handle.settle()
        return True

    def _leave(self) -> None:
        """In a copy of this process: be a branch, and leave the others to the mainline."""
        for handle in self._running:
            handle.leave()
        self._running.clear()
        sever(self.env)
