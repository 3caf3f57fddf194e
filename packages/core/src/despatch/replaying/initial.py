"""What a replay begins with, where the model takes a state in: the same again, from the script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from despatch.audit.journal import Known
from despatch.commands import Command, Refusal
from despatch.errors import Problem, SettingsError, StateError
from despatch.replaying.environment import Follower, ReplayEnvironment
from despatch.replaying.script import Script
from despatch.restoring.initial import SETTINGS, STATE, Initial

__all__ = ["ReplayInitial"]


class ReplayInitial(Initial):
    """Sets what the recorded run began with, when the model asks for it.

    Args:
        env: The environment.
        script: What came from outside.
        follower: Brings it.
    """

    def __init__(self, env: ReplayEnvironment, script: Script, follower: Follower) -> None:
        super().__init__(env)
        self._script, self._follower = script, follower

    def take_over(self) -> None:
        """Do what the run took over from the one before it."""
        while (entry := self._script.next) is not None:
            cause = entry.cause
            is_earlier = isinstance(cause, Command) and cause.source not in (STATE, SETTINGS)
            if not (is_earlier or isinstance(cause, Known)):
                return
            self._follower.bring(entry)

    def take_in(self, values: Mapping[str, Any]) -> None:
        """Set the state, which must be the recorded one."""
        if not values:
            return
        cause = self._script.cause
        is_same = isinstance(cause, Command) and cause.source == STATE
        if not is_same or cause.updates != dict(values):  # type: ignore[union-attr]  # it is one
            self._script.miss(f"a state of {dict(values)!r}")
            return
        if (reason := self._bring()) is not None:
            raise StateError(reason)

    def override(self) -> None:
        """Set what the settings said."""
        cause = self._script.cause
        if isinstance(cause, Command) and cause.source == SETTINGS:
            reason = self._bring()
            if reason is not None:
                raise SettingsError([Problem("parameters", reason)])

    def _bring(self) -> str | None:
        """Do what comes next in the script; why it was refused."""
        assert self._script.next is not None
        outcome = self._follower.bring(self._script.next)
        return outcome.reason if isinstance(outcome, Refusal) else None
