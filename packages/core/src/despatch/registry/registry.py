"""The registry: every live parameter under a dotted path, and the one place where it changes.

The model changes parameters with `Registry.update`, the world with `Command`s, which come to
`Registry.apply`. Either is carried out as a whole, at one instant of simulated time, or refused
as a whole. First the values change, then the observers hear of the outcome, and then the signals
of what really changed fire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import get_ident
from typing import Any, Final

import simpy

from despatch.commands import Change, Command, DryRun, Outcome, Refusal, Scheduled, Update
from despatch.errors import InvalidUpdateError, RegistryError, WrongThreadError
from despatch.parameters import SimParameter
from despatch.registry.admission import (
    check_allowed,
    check_mapping,
    check_origin,
    check_updates,
    text_of,
    time_of,
)
from despatch.registry.agenda import Agenda
from despatch.registry.announcements import Announcer
from despatch.registry.known_commands import Known, KnownCommands
from despatch.registry.parameter_tree import ParameterTree, Plan
from despatch.registry.path_patterns import PathPatterns
from despatch.registry.signals import Signal
from despatch.registry.watches import Watch
from despatch.renderings import excerpt, plain

__all__ = ["Registry"]

_MODEL: Final = "model"


class Registry:
    """Holds the live parameters of a simulation.

        >>> from despatch import DynamicEnvironment, SimParameter
        >>> class Desk(SimParameter):
        ...     staff: int = 1
        >>> registry = DynamicEnvironment().registry
        >>> registry.register("Desk", Desk())
        >>> change = registry.update({"Desk.staff": 3})
        >>> registry["Desk.staff"]
        3

    It belongs to the simulation's own thread: the one that made it, and while `env.run` is under
    way, the one that runs. Called from another, all but reading raises WrongThreadError; the way
    in is `env.call_soon_threadsafe`.

    Args:
        env: The simulation's environment.

    Attributes:
        on_outcome: Called with each outcome once, when it comes about: changes, refusals,
            schedulings and dry runs, those of the model's own updates too (their source is
            ``"model"``). What an observer raises is an error of the run and is not caught.
    """

    def __init__(self, env: simpy.Environment) -> None:
        self.on_outcome: list[Callable[[Outcome], None]] = []
        self._env = env
        self._thread_id = get_ident()
        self._tree = ParameterTree()
        self._announcer = Announcer(env, self._tree.values, self.__getitem__)
        self._agenda = Agenda(env, self._apply_now)
        self._known = KnownCommands()
        self._allowed: dict[str, PathPatterns] = {}

    def register(self, prefix: str, model: SimParameter) -> None:
        """Make a model's fields live, under ``prefix.field``, nested ones under more dots.

        Raises:
            RegistryError: The prefix is no dotted name, is taken, or is ambiguous with another.
            TypeError: This is no `SimParameter`, or a field of it cannot be a live parameter.
        """
        self._check_thread("register")
        self._tree.add(prefix, model)

    def __getitem__(self, path: str) -> Any:
        """What the parameter at `path` is now; a `KeyError` names the nearest paths."""
        try:
            return self._tree.values[path]
        except (KeyError, TypeError):
            raise self._tree.unknown(path) from None

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path in self._tree.values

    @property
    def live_values(self) -> Mapping[str, Any]:
        """All paths with what their parameters are now: a view, to be read and not written."""
        return self._tree.values

    def paths(self) -> tuple[str, ...]:
        """All paths, in the order of registration and declaration.

        A distribution is there as a whole, followed by its present parameters.
        """
        return tuple(self._tree.paths())

    def values(self) -> dict[str, Any]:
        """What all parameters are now, as plain data that `update` and `restore` take.

        A distribution is there as a whole only: as the mapping that sets it.
        """
        return {path: plain(value) for path, value in self._tree.wholes()}

    def signal(self, path: str) -> Signal:
        """The signal of the parameter at `path`, the same object each time.

        Raises:
            UnknownPathError: There is no such path.
        """
        self._check_thread("signal")
        if path not in self:
            raise self._tree.unknown(path)
        return self._announcer.signal(path)

    def watch(self, pattern: str) -> Watch:
        """What tells of all changes at paths that match a pattern, the same object each time.

        Args:
            pattern: As of `fnmatch`, with case, such as ``Line_A.*.capacity``. Paths that come
                later match too, so that nothing is said where none matches now.

        Raises:
            TypeError: The pattern is no text.
        """
        self._check_thread("watch")
        if not isinstance(pattern, str):
            raise TypeError(f"a pattern is a text, such as Line_A.*.capacity; not {pattern!r}")
        return self._announcer.watch(pattern)

    def update(self, updates: Mapping[str, Any]) -> Change:
        """Change parameters now, all of them or none: how a model steers itself.

        Args:
            updates: Path to new value. A distribution is set as a whole, by an object or by a
                mapping with its `family`, or by some of its parameters.

        Raises:
            UnknownPathError: A path is not there. Nothing was changed.
            InvalidUpdateError: A value is not what its parameter may be. Nothing was changed.
        """
        self._check_thread("update")
        try:
            check_updates(updates)
            plan = self._tree.plan(updates)
        except RegistryError as error:
            asked: Any = updates
            self._refuse(Command(updates=asked, source=_MODEL), str(error))
            raise
        return self._carry_out(plan, self._change(plan, _MODEL))

    def check(self, updates: Mapping[str, Any]) -> tuple[Update, ...]:
        """What `update` would change, without changing anything; no observer hears of it.

        Returns:
            What the updates of the `Change` would be.

        Raises:
            UnknownPathError: A path is not there.
            InvalidUpdateError: A value is not what its parameter may be.
        """
        self._check_thread("check")
        check_updates(updates)
        return tuple(self._tree.plan(updates).updates)

    def apply(self, command: Command, *, allow: Sequence[str] | None = None) -> Outcome:
        """Do what a command asks, or say why not: how the world steers a model.

        A command that comes again, with an id that its source has used before, gets the outcome
        that it has already; it is not applied again and no observer hears of it. Another command
        with that id is refused.

        Args:
            command: Anything that came; whatever is wrong with it, it is refused and no error.
            allow: Patterns of the paths that its source may write, as of `fnmatch`, with
                case; None allows all.

        Returns:
            A `Change` or a `Refusal`; `Scheduled` where `at` is yet to come and nothing is wrong
            that could be known now. Then, at that time, the observers are called with the one or
            the other. A `DryRun` where no more was asked for.
        """
        self._check_thread("apply")
        if not isinstance(command, Command):
            raise TypeError(f"command: expected a Command, not {excerpt(command)}")
        if command.fault is not None:
            return self._refuse(command, str(command.fault), is_final=False)
        try:
            check_origin(command)
        except InvalidUpdateError as error:
            return self._refuse(command, str(error))
        if command.id is not None and not command.dry_run:
            known = self._known.find(command.source, command.id)
            if known is not None:
                return self._answer_again(command, known)
        try:
            check_updates(command.updates)
            if allow is not None:
                check_allowed(command, self._patterns(command.source, allow))
            if command.expect != {}:
                check_mapping("expect", command.expect)
            if command.at is not None:
                at = time_of(command, self._env.now)
                if at > self._env.now and not command.dry_run:
                    self._check_possible(command)
                    return self._schedule(command, at)
        except RegistryError as error:
            return self._refuse(command, str(error))
        return self._apply_now(command)

    def pending(self) -> tuple[Command, ...]:
        """The commands that are scheduled, in the order in which they will be carried out."""
        return self._agenda.pending()

    def restore(self, values: Mapping[str, Any], *, source: str = "resume") -> dict[str, str]:
        """Set parameters to what they were in another run, as far as they are still there.

        All that can be set is one `Change`. A path or a value that the model no longer has room
        for keeps the others from nothing; where values were validated together, they are set
        together or not at all.

        Args:
            values: Path to value, as `values` gives them.
            source: Who asks for it, as the `Change` says.

        Returns:
            Path to reason, of all that was not set.

        Raises:
            InvalidUpdateError: This is no mapping of paths to values.
        """
        self._check_thread("restore")
        check_mapping("values", values)
        accepted, reasons = self._tree.sift(values)
        if accepted:
            plan = self._tree.plan(accepted)
            self._carry_out(plan, self._change(plan, source))
        return reasons

    def remember(self, outcomes: Iterable[Outcome]) -> None:
        """Know commands by their ids that were settled in another run, and apply none of them.

        Args:
            outcomes: The outcomes in their order, as an audit journal has them. What was
                scheduled is not settled: `apply` it, as the outcome's `command`.
        """
        self._check_thread("remember")
        for outcome in outcomes:
            is_settled = isinstance(outcome, Change) or (
                isinstance(outcome, Refusal) and outcome.is_final
            )
            if is_settled and outcome.id is not None:
                self._known.note(outcome.source, outcome.id, Known(outcome, None))

    def know(self, command: Command, outcome: Outcome) -> None:
        """Know a command as it came from its source, though it was applied otherwise.

        Args:
            command: The command, as it would come again; one without an id is passed over.
            outcome: What it gets then.
        """
        self._check_thread("know")
        if command.id is not None:
            self._known.note(command.source, command.id, Known(outcome, command))

    def hand_over(self, thread_id: int) -> int:
        """Make another thread the simulation's own. The environment does, when it runs.

        Args:
            thread_id: The thread's `threading.get_ident`.

        Returns:
            The id of the thread that was it before.
        """
        before, self._thread_id = self._thread_id, thread_id
        return before

    def _check_thread(self, method: str) -> None:
        if get_ident() != self._thread_id:
            raise WrongThreadError(
                f"registry.{method} was called in the thread {threading.current_thread().name}, "
                f"and the registry is for the simulation's own; from others, go through "
                f"env.call_soon_threadsafe(env.registry.{method}, ...)"
            )

    def _answer_again(self, command: Command, known: Known) -> Outcome:
        if known.is_of(command):
            return known.outcome
        reason = (
            f"id: {excerpt(command.id)} is the id of another command of this source, with other "
            "content; a new command needs a new id"
        )
        return self._refuse(command, reason, is_final=False)

    def _patterns(self, source: str, allow: Sequence[str]) -> PathPatterns:
        patterns = self._allowed.get(source)
        if patterns is None or patterns.patterns != tuple(allow):
            patterns = self._allowed[source] = PathPatterns(allow)
        return patterns

    def _apply_now(self, command: Command) -> Outcome:
        try:
            if command.expect:
                self._check_expected(command.expect)
            plan = self._tree.plan(command.updates)
        except RegistryError as error:
            return self._refuse(command, str(error))
        change = self._change(plan, command.source, command.id)
        if command.dry_run:
            return self._try(command, change)
        return self._carry_out(plan, change, command)

    def _schedule(self, command: Command, at: float) -> Scheduled:
        self._agenda.add(command, at)
        scheduled = Scheduled(
            at=at,
            sim_time=float(self._env.now),
            source=command.source,
            id=command.id,
            updates=plain(command.updates),
            expect=plain(command.expect),
        )
        self._settle(scheduled, command)
        return scheduled

    def _carry_out(self, plan: Plan, change: Change, command: Command | None = None) -> Change:
        changed = self._tree.commit(plan)
        self._settle(change, command)
        self._announcer.announce(changed)
        return change

    def _change(self, plan: Plan, source: str, command_id: str | None = None) -> Change:
        return Change(
            updates=tuple(plan.updates),
            sim_time=float(self._env.now),
            source=source,
            id=command_id,
        )

    def _refuse(self, command: Command, reason: str, *, is_final: bool = True) -> Outcome:
        updates: object = command.updates
        refusal = Refusal(
            reason=reason,
            sim_time=float(self._env.now),
            source=text_of(command.source) or "",
            id=text_of(command.id),
            updates=plain(updates) if isinstance(updates, Mapping) else {},
            is_final=is_final,
        )
        if command.dry_run is True:
            return self._try(command, refusal)
        self._settle(refusal, command if is_final else None)
        return refusal

    def _try(self, command: Command, would_be: Change | Refusal) -> DryRun:
        tried = DryRun(
            would_be=would_be, sim_time=would_be.sim_time, source=would_be.source, id=would_be.id
        )
        self._settle(tried, None)
        return tried

    def _settle(self, outcome: Outcome, command: Command | None) -> None:
        """Know the command from now on, if it has an id, and tell the observers."""
        if command is not None and outcome.id is not None:
            self._known.note(outcome.source, outcome.id, Known(outcome, command))
        for observer in tuple(self.on_outcome):
            observer(outcome)

    def _check_possible(self, command: Command) -> None:
        self._tree.check_possible(command.updates)
        for path in command.expect:
            if not self._tree.may_have(path):
                raise self._tree.unknown(path)

    def _check_expected(self, expect: Mapping[str, Any]) -> None:
        for path, value in expect.items():
            if not self._tree.holds(path, value):
                raise InvalidUpdateError(
                    f"{path}: the command expects {excerpt(value)}, "
                    f"and there is {excerpt(plain(self[path]))}"
                )
