"""Handles: what the mainline has of a branch while that runs ahead.

A handle is an event. For the simulation it happens at the instant at which somebody waits for it:
the clock stands still until the result is there, however long that takes. So what a model does
with a result depends on no wall clock, and comes again in a replay. Who does not wait for it is
not held up.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

import simpy

from despatch.branching.answers import Answer, Answers, Kind
from despatch.branching.forking import Child, reap
from despatch.errors import BranchError

if TYPE_CHECKING:
    from despatch.branching.branching import Branching
    from despatch.doorbell import Doorbell

__all__ = ["Branch", "Branches", "Handle"]

T = TypeVar("T")
_Callback: TypeAlias = Callable[[simpy.Event], object]


class _Waiters(list[_Callback]):
    """The callbacks of a handle: whoever adds one is waited with."""

    def __init__(self, handle: Handle[Any], callbacks: Iterable[_Callback]) -> None:
        super().__init__(callbacks)
        self._handle = handle

    def append(self, callback: _Callback) -> None:
        super().append(callback)
        self._handle._branching.wait_for(self._handle)


class Handle(simpy.Event, Generic[T]):
    """What a branch, or several, will have come to.

    A process waits for it: ``result = yield handle``. Simulated time does not pass meanwhile, and
    nothing else happens in the model; commands are attended to. Outside of events, and in a later
    one, `result` is the same without `yield`.

    In the branch itself there is no result: there, at once, it is None.
    """

    def __init__(
        self, branching: Branching, name: str, live: Callable[[int, int], object], count: int
    ) -> None:
        self._branching = branching
        super().__init__(branching.env)
        self._name = name
        self._live = live
        self._count = count
        self._child: Child | None = None
        self._incoming: Answers | None = None
        self._answers: dict[int, Answer] = {}
        self._ending = ""
        self._is_planned = False
        self._is_settled = False
        self._doorbell: Doorbell | None = None
        self._finalizer: weakref.finalize[..., Handle[T]] | None = None

    @property
    def callbacks(self) -> Any:
        """Who waits for it; None once it has been processed."""
        return self._callbacks

    @callbacks.setter
    def callbacks(self, callbacks: Iterable[_Callback] | None) -> None:
        self._callbacks = None if callbacks is None else _Waiters(self, callbacks)

    @property
    def is_done(self) -> bool:
        """Whether `result` would return at once, or raise.

        It depends on the wall clock, so a model that goes by it does not do the same again.
        """
        if self._child is not None and self._incoming is not None:
            self.hear()
        return self.has_come

    def result(self, timeout: float | None = None) -> T:
        """The result, waited for without attending to anything else.

        Args:
            timeout: How long to wait for it, in wall seconds; None is as long as it takes.

        Raises:
            BranchError: The branch raised, or ended without a result; or it is yet to be made,
                because the event in which it was asked for is not over.
            TimeoutError: It is not there in time. The branch goes on.
        """
        if not self.has_come and self._child is None:
            raise BranchError(
                f"{self._name} is made when the present event is over: wait for it by "
                "`result = yield branch`, or ask for its result in a later event"
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.has_come:
            if not self._listen(deadline):
                raise TimeoutError(f"{self._name} has no result yet")
            self.hear()
        self.settle()
        if not self._ok:
            raise cast(BranchError, self._value)
        return cast(T, self._value)

    def cancel(self) -> None:
        """End the branch. If it has no result yet, it never has: who waits gets a BranchError."""
        if self.is_done:
            return
        self._branching.forget(self)
        self._end("was cancelled")

    # What follows is for `Branching`.

    @property
    def has_come(self) -> bool:
        """Whether there is all that there will ever be."""
        return self._is_settled or bool(self._ending) or self._branching.env.is_branch

    @property
    def is_planned(self) -> bool:
        """Whether it is among the events, or was."""
        return self._is_planned

    @property
    def live(self) -> Callable[[int, int], object]:
        """What the copy does."""
        return self._live

    def begin(self, child: Child) -> None:
        """The branch is made."""
        self._child = child
        self._incoming = Answers(child.fd)
        self._finalizer = weakref.finalize(self, _kill, child, os.getpid())

    def give_up(self, reason: str) -> None:
        """It cannot be made."""
        self._ending = reason

    def listen(self, doorbell: Doorbell) -> None:
        """Have a doorbell ring when there is something to hear."""
        if self._child is None or self._incoming is None or self._doorbell is doorbell:
            return
        self._hang_up()
        self._doorbell = doorbell
        doorbell.watch(self._child.fd)

    def hear(self) -> None:
        """Take what has come, without waiting."""
        if self._incoming is None:
            return
        for answer in self._incoming.receive():
            self._answers[answer.number] = answer
        if self._incoming.has_ended:
            self._end("")

    def plan(self) -> None:
        """Put it among the events, as the last of this instant."""
        self._is_planned = True
        self.env.schedule(self)

    def settle(self) -> None:
        """Make what has come the event's value."""
        if self._is_settled:
            return
        self._is_settled = True
        self._ok = True
        if self._branching.env.is_branch:
            self._value = None
            return
        try:
            self._value = self._made_of(self._answers)
        except BranchError as error:
            self._ok, self._value = False, error
        self._answers.clear()

    @property
    def fault(self) -> str:
        """What is wrong with what has come; empty where nothing is."""
        for answer in self._answers.values():
            if answer.kind is not Kind.RESULT:
                return f"{self._name} {answer.content.decode()}"
        is_whole = self._is_settled or len(self._answers) == self._count
        return "" if is_whole else f"{self._name} {self._ending}"

    def leave(self) -> None:
        """In a copy of this process: the branch is the mainline's."""
        if self._child is not None and self._incoming is not None:
            os.close(self._child.fd)
            self._incoming = None

    def _made_of(self, answers: Mapping[int, Answer]) -> T:
        raise NotImplementedError

    def _loaded(self, number: int, named: str) -> Any:
        answer = self._answers.get(number)
        if answer is None:
            raise BranchError(f"{named} {self._ending}")
        if answer.kind is Kind.ENDED:
            raise BranchError(f"{named} {answer.content.decode()}")
        if answer.kind is Kind.RAISED:
            raise BranchError(f"{named} raised\n{answer.content.decode()}")
        try:
            return pickle.loads(answer.content)
        except Exception as error:
            # Loading calls methods of the result's own, which may raise whatever they like.
            raise BranchError(f"{named} has a result that cannot be read: {error}") from error

    def _listen(self, deadline: float | None) -> bool:
        """Wait for something to come; whether it did in time."""
        assert self._child is not None
        poll = select.poll()
        poll.register(self._child.fd, select.POLLIN)
        if deadline is None:
            return bool(poll.poll())
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _end(self, why: str) -> None:
        """Clear away its process; `why` is why it has no result, where it is not to be asked."""
        child, incoming = self._child, self._incoming
        self._incoming = None
        if child is None or incoming is None:
            self._ending = why
            return
        if self._finalizer is not None:
            self._finalizer.detach()
        self._hang_up()
        os.close(child.fd)
        if why:
            _end_group(child.pid)
        ended = reap(child.pid)
        self._ending = why or ended

    def _hang_up(self) -> None:
        doorbell, self._doorbell = self._doorbell, None
        if doorbell is not None and self._child is not None:
            doorbell.unwatch(self._child.fd)


class Branch(Handle[T]):
    """What one branch will have come to: what `collect` returned there."""

    def _made_of(self, answers: Mapping[int, Answer]) -> T:
        return cast(T, self._loaded(0, self._name))


class Branches(Handle[list[T]]):
    """What several branches will have come to, in the order of their numbers."""

    def _made_of(self, answers: Mapping[int, Answer]) -> list[T]:
        failed = [number for number, answer in answers.items() if answer.kind is not Kind.RESULT]
        order = [*sorted(failed), *range(self._count)]
        loaded = {number: self._loaded(number, f"{self._name} {number}") for number in order}
        return [loaded[number] for number in range(self._count)]


def _kill(child: Child, parent: int) -> None:
    """Nobody can ask for the result any more, or this process ends."""
    if os.getpid() != parent:
        return  # a copy of it: the branch is not its own
    _end_group(child.pid)
    os.close(child.fd)
    reap(child.pid)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
