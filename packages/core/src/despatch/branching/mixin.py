"""Gives an environment `branch` and `branches`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from despatch.cpus import usable_cpus
from despatch.distributions.seeds import checked_seed
from despatch.pacing.until import Until
from despatch.renderings import excerpt

if TYPE_CHECKING:
    from despatch.branching.branching import Branching
    from despatch.branching.handles import Branch, Branches
    from despatch.branching.plan import BranchResult, Plan
    from despatch.environment import DynamicEnvironment
    from despatch.ingress import Interlude

__all__ = ["BranchingMixIn"]

_T = TypeVar("_T")


class BranchingMixIn:
    """Gives an environment the way to run ahead of itself.

    What it takes is imported by the first branch: most simulations never have one.
    """

    seed: int
    _is_branch: bool
    _interlude: Interlude | None
    _branching: Branching | None = None

    @property
    def is_branch(self) -> bool:
        """Whether this is a branch, which runs ahead of the simulation that it was copied from."""
        return self._is_branch

    @overload
    def branch(
        self,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        reseed: int | bool | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Branch[BranchResult]: ...

    @overload
    def branch(
        self,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        reseed: int | bool | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: Callable[[Self], _T],
        timeout: timedelta | str | float | None = None,
    ) -> Branch[_T]: ...

    def branch(
        self,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        reseed: int | bool | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: Callable[[Self], object] | None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Branch[Any]:
        """Copy this simulation as it is, and let the copy run ahead.

        The copy is exact: processes in the middle of what they do, queues, random streams and
        scheduled commands are there as they are here, and go on as they would here. It is a copy
        of this process, made between two events: at once where no run is under way, and otherwise
        when the present event is over. It runs at full speed, hears of no command, and writes to
        no sink; what it publishes is counted for `BranchResult`. What it prints goes to standard
        error. It ends with this process, if not before.

        Args:
            until: Where it ends, as for `run`: a number is a simulated time, a timedelta or text
                such as ``8h`` is so much simulated time from now.
            changes: Parameters that are set before it goes on, by path; all or none.
            reseed: None goes on with the random numbers as they would come here. An integer seeds
                `sample`, `random` and numpy's global generator with it, True with another one each
                time, which depends on the seed and on how many branches were made.
            prepare: Called in the branch with its environment before it goes on.
            collect: Called in the branch with its environment at its end. What it returns is the
                result, and must be picklable. By default the result is a `BranchResult`.
            timeout: How long it may take, of wall time; then it is ended. None is for ever.

        Returns:
            The handle, an event: ``result = yield env.branch(...)`` in a process, and
            `Branch.result` elsewhere. In the branch itself, the same handle gives None.

        Raises:
            BranchError: It cannot be had: there are other threads, there is no fork, this is a
                branch, or no time between two events.
            UnknownPathError: A path of `changes` is not there.
            InvalidUpdateError: A value of `changes` is not what its parameter may be.
            TypeError: An argument is of another type.
            ValueError: `until` is not later than now, or another argument is out of bounds.
        """
        seed = reseed if reseed is None or isinstance(reseed, bool) else checked_seed(reseed)
        return self._make_branching().branch(
            self._plan(until, changes, prepare, collect, timeout), seed
        )

    @overload
    def branches(
        self,
        count: int,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        seed: int | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: None = None,
        workers: int | None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Branches[BranchResult]: ...

    @overload
    def branches(
        self,
        count: int,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        seed: int | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: Callable[[Self], _T],
        workers: int | None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Branches[_T]: ...

    def branches(
        self,
        count: int,
        *,
        until: Until | None,
        changes: Mapping[str, Any] | None = None,
        seed: int | None = None,
        prepare: Callable[[Self], object] | None = None,
        collect: Callable[[Self], object] | None = None,
        workers: int | None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Branches[Any]:
        """Have several branches made of this instant, each with random numbers of its own.

        The simulation is copied once, and the branches are copies of that copy: so it is held up
        no longer than by one. Branch *i* has the seed that replication *i* of `replicate` has with
        the same seed: so what one scenario is compared with has the same random numbers. The
        results depend on no number of workers. One that is killed is made again, 3 times at the
        most.

        Args:
            count: How many, at least 1.
            until: As for `branch`.
            changes: As for `branch`.
            seed: What the seeds are made from; by default the simulation's own.
            prepare: As for `branch`.
            collect: As for `branch`.
            workers: How many there are at once, at the most; by default one for each CPU.
            timeout: How long each may take, of wall time.

        Returns:
            The handle, as for `branch`, of a list with the results in the order of the numbers.

        Raises:
            BranchError: As for `branch`.
            UnknownPathError: As for `branch`.
            InvalidUpdateError: As for `branch`.
            TypeError: An argument is of another type.
            ValueError: An argument is out of bounds.
        """
        number = _checked_count("count", count)
        at_once = usable_cpus() if workers is None else _checked_count("workers", workers)
        base = self.seed if seed is None else checked_seed(seed)
        plan = self._plan(until, changes, prepare, collect, timeout)
        return self._make_branching().branches(plan, number, at_once, base)

    def _make_branching(self) -> Branching:
        if self._branching is None:
            from despatch.branching.branching import Branching

            self._branching = Branching(cast("DynamicEnvironment", self))
            self._interlude = self._branching
        return self._branching

    def _plan(
        self,
        until: Until | None,
        changes: Mapping[str, Any] | None,
        prepare: Callable[[Self], object] | None,
        collect: Callable[[Self], object] | None,
        timeout: timedelta | str | float | None,
    ) -> Plan:
        from despatch.branching.plan import plan_of

        ahead: Any = prepare
        makes: Any = collect
        return plan_of(cast("DynamicEnvironment", self), until, changes, ahead, makes, timeout)


def _checked_count(name: str, count: object) -> int:
    try:
        number = operator.index(count)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, not {excerpt(count)}") from None
    if isinstance(count, bool) or number < 1:
        raise ValueError(f"{name}: expected a number of at least 1, not {excerpt(count)}")
    return number
