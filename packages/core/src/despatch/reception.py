"""Reception: the commands that the courier brings, until their source can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from despatch.audit.log import AuditLog
from despatch.commands import Change, Outcome, Refusal
from despatch.environment import DynamicEnvironment
from despatch.journal import JournalWriter
from despatch.link import Brought, IngressState, Resolved
from despatch.supervision import Supervision

__all__ = ["Reception"]

_READY: Final = ("caught up", "ended", "retrying", "stopped")
_OVER: Final = ("ended", "stopped")


class Reception:
    """Takes commands from the courier, has them applied, and answers once that is written.

    Args:
        env: The environment.
        audit: Applies commands and takes down what became of them.
        journal: Where it takes that down.
        courier: Whom to answer.
        allow: Every ingress by name, with what it may write; None is all.

    Attributes:
        commands: How many commands were applied and refused so far, by their source.
    """

    def __init__(
        self,
        env: DynamicEnvironment,
        audit: AuditLog,
        journal: JournalWriter,
        courier: Supervision,
        allow: Mapping[str, Sequence[str] | None],
    ) -> None:
        self.commands: dict[str, tuple[int, int]] = {}
        self._env = env
        self._audit = audit
        self._journal = journal
        self._courier = courier
        self._allow = allow
        self._states: dict[str, IngressState] = {}
        self._brought: list[Brought] = []
        self._untold: list[Resolved] = []

    @property
    def expects_commands(self) -> bool:
        """Whether an ingress may still bring commands."""
        return any(not self._is(name, _OVER) for name in self._allow)

    @property
    def waited_for(self) -> list[str]:
        """The ingresses that may yet bring what was waiting at their source at the start."""
        return [name for name in self._allow if not self._is(name, _READY)]

    def count(self, outcome: Outcome) -> None:
        """Count an outcome, as an observer of the registry."""
        applied, refused = self.commands.get(outcome.source, (0, 0))
        if isinstance(outcome, Change):
            self.commands[outcome.source] = applied + 1, refused
        elif isinstance(outcome, Refusal):
            self.commands[outcome.source] = applied, refused + 1

    def note(self, state: IngressState) -> None:
        """How an ingress fares now."""
        self._states[state.name] = state

    def take(self, message: Brought) -> None:
        """Keep a command until it is time to apply it."""
        self._brought.append(message)

    def apply(self) -> None:
        """Apply what has come.

        Raises:
            JournalError: The outcomes cannot be written.
        """
        if not self._brought:
            return
        brought, self._brought = self._brought, []
        self._env.catch_up()
        outcomes = [
            self._audit.apply(message.command, self._allow.get(message.ingress))
            for message in brought
        ]
        self._untold += [
            Resolved(message.ingress, message.number, outcome, self._journal.end)
            for message, outcome in zip(brought, outcomes, strict=True)
        ]
        self._journal.flush()
        self.answer()

    def answer(self) -> None:
        """Say what became of commands, once it is written.

        A source must not forget what no journal remembers.
        """
        if self._untold and self._journal.written >= self._untold[-1].audit_end:
            self._courier.send(self._untold)
            self._untold.clear()

    def forget_answers(self) -> None:
        """The courier that brought the commands is gone: another would not know them."""
        self._untold.clear()

    def forget(self) -> None:
        """The same, and those that are not applied come again: nobody was told of them."""
        self._brought.clear()
        self._untold.clear()

    def _is(self, name: str, states: tuple[str, ...]) -> bool:
        return name in self._states and self._states[name].state in states
