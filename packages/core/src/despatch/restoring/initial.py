"""Initial: what a registry begins with, besides what the model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from despatch.commands import Command, Outcome, Refusal
from despatch.errors import Problem, SettingsError, StateError

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["SETTINGS", "STATE", "Initial"]

STATE: Final = "state"
"""The source of the command that sets what the real system is like."""

SETTINGS: Final = "settings"
"""The source of the command that sets the `parameters` of the settings."""


class Initial:
    """Sets what a registry begins with, in three steps, each stronger than the one before.

    Where a snapshot has more than parameters, they are taken while the model takes it in, once
    it has registered its parameters, and before it puts work anywhere.

    Args:
        env: The environment.
        parameters: What the settings say, which is stronger than the state.
    """

    def __init__(
        self, env: DynamicEnvironment, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self._env = env
        self._parameters = parameters or {}

    def take_over(self) -> None:
        """Set what was left by an earlier run. Here, nothing."""

    def take_in(self, values: Mapping[str, Any]) -> None:
        """Set what the real system is like.

        Raises:
            StateError: The model does not take it.
        """
        if values:
            outcome = self.apply(Command(updates={**values}, source=STATE))
            if isinstance(outcome, Refusal):
                raise StateError(outcome.reason)

    def override(self) -> None:
        """Set what the settings say.

        Raises:
            SettingsError: The model does not take it.
        """
        if self._parameters:
            outcome = self.apply(Command(updates={**self._parameters}, source=SETTINGS))
            if isinstance(outcome, Refusal):
                raise SettingsError([Problem("parameters", outcome.reason)])

    def apply(self, command: Command) -> Outcome:
        """Have the registry apply a command."""
        return self._env.registry.apply(command)
