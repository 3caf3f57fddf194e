"""Template: the copy of which others are made.

It is forked once, stays at the instant at which it was made, and forks the branches one after the
other, so many at once, while the mainline has long gone on. What they answer it hands on. One that
is killed is made again: it comes to the same.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from despatch.branching.answers import Answer, Answers, Kind
from despatch.branching.forking import Child, fork, reap
from despatch.branching.plan import Plan
from despatch.distributions.seeds import seed_of

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["ATTEMPTS", "Template"]

_log = logging.getLogger("despatch")

ATTEMPTS: Final = 3
"""How often a branch is made that is killed, the first time included."""

LOOK_MS: Final = 1000


@dataclass(slots=True)
class _Worker:
    number: int
    child: Child
    answers: Answers
    answer: Answer | None = None


@dataclass
class Template:
    """Makes branches of a simulation that was cut off.

    Attributes:
        plan: What each is to do.
        count: How many there are.
        workers: How many there are at once, at the most.
        seed: What their seeds are made from.
    """

    plan: Plan
    count: int
    workers: int
    seed: int
    _running: dict[int, _Worker] = field(default_factory=dict)
    _attempts: dict[int, int] = field(default_factory=dict)

    def make_all(self, env: DynamicEnvironment, fd: int, parent: int) -> None:
        """Make them, and hand their answers on.

        Args:
            env: The environment, cut off.
            fd: The writing end of the pipe to the mainline.
            parent: The mainline's process.
        """
        waiting = deque(range(self.count))
        poll = select.poll()
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self.workers:
                    worker = self._make(env, fd, waiting.popleft())
                    self._running[worker.child.fd] = worker
                    poll.register(worker.child.fd, select.POLLIN)
                for ready, _ in poll.poll(LOOK_MS):
                    worker = self._running[ready]
                    for answer in worker.answers.receive():
                        worker.answer = answer
                    if worker.answers.has_ended:
                        poll.unregister(ready)
                        del self._running[ready]
                        os.close(ready)
                        if not self._conclude(worker, fd):
                            waiting.appendleft(worker.number)
                        elif worker.answer is not None and worker.answer.kind is not Kind.RESULT:
                            return
                if os.getppid() != parent:
                    return
        finally:
            for worker in self._running.values():
                os.kill(worker.child.pid, signal.SIGKILL)
                reap(worker.child.pid)

    def _make(self, env: DynamicEnvironment, fd: int, number: int) -> _Worker:
        self._attempts[number] = self._attempts.get(number, 0) + 1
        seed = seed_of(self.seed, number)

        def live(own_fd: int, parent: int) -> None:
            os.close(fd)
            for worker in self._running.values():
                os.close(worker.child.fd)
            self.plan.carry_out(env, own_fd, parent, number, seed)

        child = fork(live, group=os.getpgrp())
        return _Worker(number, child, Answers(child.fd))

    def _conclude(self, worker: _Worker, fd: int) -> bool:
        """Hand on what a branch has answered; false where it is to be made again."""
        ending = reap(worker.child.pid)
        if worker.answer is None:
            is_late = signal.SIGALRM.name in ending
            if not is_late and self._attempts[worker.number] < ATTEMPTS:
                _log.warning("branch %d %s; making it again", worker.number, ending)
                return False
            told = ending if is_late else f"{ending}, {ATTEMPTS} times"
            worker.answer = Answer(worker.number, Kind.ENDED, told.encode())
        worker.answer.send(fd)
        return True
