"""The registry: every live parameter under a dotted path, and the one place where it changes.

The model changes parameters with `Registry.update`, the world with `Command`s, which come to
`Registry.apply`. Either is carried out as a whole, at one instant of simulated time, or refused
as a whole. First the values change, then the observers hear of the outcome, and then the signals
of what really changed fire.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import simpy
from simpy.events import URGENT

from despatch.admission import (
    check_allowed,
    check_mapping,
    check_origin,
    check_updates,
    text_of,
    time_of,
)
from despatch.commands import Change, Command, Outcome, Refusal, Scheduled, Update
from despatch.errors import InvalidUpdateError, RegistryError
from despatch.parameter_tree import ParameterTree
from despatch.parameters import SimParameter
from despatch.renderings import excerpt, plain
from despatch.signals import Signal

__all__ = ["Registry"]

REMEMBERED_IDS: Final = 65_536
"""So many ids of commands are known for each source; the oldest are forgotten first."""

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

    Args:
        env: The simulation's environment.

    Attributes:
        on_outcome: Called with each outcome once, when it comes about: changes, refusals and
            schedulings, those of the model's own updates too (their source is ``"model"``).
            What an observer raises is an error of the run and is not caught.
    """

    def __init__(self, env: simpy.Environment) -> None:
        self.on_outcome: list[Callable[[Outcome], None]] = []
        self._env = env
        self._tree = ParameterTree()
        self._signals: dict[str, Signal] = {}
        self._unannounced: deque[tuple[Signal, Any]] = deque()
        self._is_announcing = False
        self._outcomes: dict[str, OrderedDict[str, Outcome]] = {}

    def register(self, prefix: str, model: SimParameter) -> None:
        """Make a model's fields live, under ``prefix.field``, nested ones under more dots.

        Raises:
            RegistryError: The prefix is no dotted name, is taken, or is ambiguous with another.
            TypeError: This is no `SimParameter`, or a field of it cannot be a live parameter.
        """
        self._tree.add(prefix, model)

    def __getitem__(self, path: str) -> Any:
        """What the parameter at `path` is now; a `KeyError` names the nearest paths."""
        try:
            return self._tree.values[path]
        except (KeyError, TypeError):
            raise self._tree.unknown(path) from None

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path in self._tree.values

    def paths(self) -> tuple[str, ...]:
        """All paths, in the order of registration and declaration.

        A distribution is there as a whole, followed by its present parameters.
        """
        return tuple(self._tree.paths())

    def signal(self, path: str) -> Signal:
        """The signal of the parameter at `path`, the same object each time.

        Raises:
            UnknownPathError: There is no such path.
        """
        if path not in self:
            raise self._tree.unknown(path)
        signal = self._signals.get(path)
        if signal is None:
            signal = self._signals[path] = Signal(self._env, path, self.__getitem__)
        return signal

    def update(self, updates: Mapping[str, Any]) -> Change:
        """Change parameters now, all of them or none: how a model steers itself.

        Args:
            updates: Path to new value. A distribution is set as a whole, by an object or by a
                mapping with its `family`, or by some of its parameters.

        Raises:
            UnknownPathError: A path is not there. Nothing was changed.
            InvalidUpdateError: A value is not what its parameter may be. Nothing was changed.
        """
        try:
            check_updates(updates)
            change, changed = self._carry_out(updates, _MODEL, None)
        except RegistryError as error:
            self._settle(self._refusal(_MODEL, None, updates, str(error)))
            raise
        self._settle(change, changed)
        return change

    def apply(self, command: Command, *, allow: Sequence[str] | None = None) -> Outcome:
        """Do what a command asks, or say why not: how the world steers a model.

        A command that comes again, with an id that its source has used before, gets the outcome
        that it has already; it is not applied again and no observer hears of it.

        Args:
            command: Anything that came; whatever is wrong with it, it is refused and no error.
            allow: Patterns of the paths that its source may write, as of `fnmatch`, with
                case; None allows all.

        Returns:
            A `Change` or a `Refusal`; `Scheduled` where `at` is yet to come. Then, at that time,
            the observers are called with the one or the other.
        """
        if command.fault is not None:
            return self._refuse(command, str(command.fault))
        try:
            check_origin(command)
        except InvalidUpdateError as error:
            return self._refuse(command, str(error))
        known = self._known_outcome(command)
        if known is not None:
            return known
        try:
            check_updates(command.updates)
            check_allowed(command, allow)
            check_mapping("expect", command.expect)
            at = time_of(command, self._env.now)
            is_due = at <= self._env.now
            if not is_due:
                self._check_paths(command)
        except RegistryError as error:
            return self._refuse(command, str(error))
        return self._apply_now(command) if is_due else self._schedule(command, at)

    def remember(self, outcomes: Iterable[Outcome]) -> None:
        """Know outcomes that an earlier run gave: a command that comes again gets them.

        Args:
            outcomes: Oldest first; those without an id are passed over.
        """
        for outcome in outcomes:
            if outcome.id is not None:
                self._remember(outcome, outcome.id)

    def _apply_now(self, command: Command) -> Outcome:
        try:
            self._check_expected(command.expect)
            change, changed = self._carry_out(command.updates, command.source, command.id)
        except RegistryError as error:
            return self._refuse(command, str(error))
        self._settle(change, changed)
        return change

    def _schedule(self, command: Command, at: float) -> Scheduled:
        def act(_: simpy.Event) -> None:
            self._apply_now(command)

        _Due(self._env, at, act)
        scheduled = Scheduled(
            at=at,
            sim_time=float(self._env.now),
            source=command.source,
            id=command.id,
            updates=plain(command.updates),
        )
        self._settle(scheduled)
        return scheduled

    def _carry_out(
        self, updates: Mapping[str, Any], source: str, command_id: str | None
    ) -> tuple[Change, list[tuple[str, Any]]]:
        plan = self._tree.plan(updates)
        values = self._tree.values
        old = {path: values[path] for path in (*updates, *plan.derived)}
        changed = self._tree.commit(plan)
        change = Change(
            updates=tuple(
                Update(path, plain(before), plain(values.get(path))) for path, before in old.items()
            ),
            sim_time=float(self._env.now),
            source=source,
            id=command_id,
        )
        return change, changed

    def _refuse(self, command: Command, reason: str) -> Refusal:
        source = text_of(command.source) or ""
        refusal = self._refusal(source, text_of(command.id), command.updates, reason)
        self._settle(refusal, is_known=command.fault is None)
        return refusal

    def _refusal(
        self, source: str, command_id: str | None, updates: object, reason: str
    ) -> Refusal:
        return Refusal(
            reason=reason,
            sim_time=float(self._env.now),
            source=source,
            id=command_id,
            updates=plain(updates) if isinstance(updates, Mapping) else {},
        )

    def _settle(
        self, outcome: Outcome, changed: Iterable[tuple[str, Any]] = (), *, is_known: bool = True
    ) -> None:
        if outcome.id is not None and is_known:
            self._remember(outcome, outcome.id)
        for observer in tuple(self.on_outcome):
            observer(outcome)
        self._announce(changed)

    def _known_outcome(self, command: Command) -> Outcome | None:
        outcomes = self._outcomes.get(command.source)
        return None if outcomes is None or command.id is None else outcomes.get(command.id)

    def _remember(self, outcome: Outcome, command_id: str) -> None:
        outcomes = self._outcomes.setdefault(outcome.source, OrderedDict())
        outcomes[command_id] = outcome
        if len(outcomes) > REMEMBERED_IDS:
            outcomes.popitem(last=False)

    def _announce(self, changed: Iterable[tuple[str, Any]]) -> None:
        """Fire the signals of what changed.

        A callback may change parameters in its turn. The signals of that wait until those of
        this change have fired, so that every callback hears of the changes in their order.
        """
        signals = self._signals
        self._unannounced.extend(
            (signals[path], value) for path, value in changed if path in signals
        )
        if self._is_announcing:
            return
        self._is_announcing = True
        try:
            while self._unannounced:
                signal, value = self._unannounced.popleft()
                signal.fire(value)
        finally:
            self._is_announcing = False

    def _check_paths(self, command: Command) -> None:
        for path in (*command.updates, *command.expect):
            if path not in self:
                raise self._tree.unknown(path)

    def _check_expected(self, expect: Mapping[str, Any]) -> None:
        for path, value in expect.items():
            if not self._tree.holds(path, value):
                raise InvalidUpdateError(
                    f"{path}: the command expects {excerpt(value)}, "
                    f"and there is {excerpt(plain(self[path]))}"
                )


class _Due(simpy.Event):
    """The instant that a command waits for.

    It comes before all that is planned for that instant, however long before it was planned: what
    a command changes at 10 holds for everything that happens at 10.
    """

    def __init__(
        self, env: simpy.Environment, at: float, act: Callable[[simpy.Event], None]
    ) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.callbacks.append(act)
        env.schedule(self, URGENT, at - env.now)
