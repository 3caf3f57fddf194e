"""What a run begins with: what the last run left, the state of the real system, the settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from despatch.audit.resumption import Resumption, legacy_of, resume
from despatch.commands import Change, Command, Outcome
from despatch.restoring.initial import SETTINGS, Initial

if TYPE_CHECKING:
    from despatch.audit.log import AuditLog
    from despatch.environment import DynamicEnvironment
    from despatch.runs import RunInfo
    from despatch.settings import Settings

__all__ = ["RunInitial"]

_log = logging.getLogger("despatch")


class RunInitial(Initial):
    """Sets what a run begins with, by way of its audit log.

    Args:
        env: The environment.
        audit: The run's audit log.
        settings: The run's settings.
        info: What the run is; which run it took over from is noted there.

    Attributes:
        resumed: What was taken over from the last run; None where the settings do not ask for it.
    """

    def __init__(
        self, env: DynamicEnvironment, audit: AuditLog, settings: Settings, info: RunInfo
    ) -> None:
        super().__init__(env, settings.parameters)
        self._audit, self._settings, self._info = audit, settings, info
        self._said: dict[str, str] = {}
        self.resumed: Resumption | None = None

    def take_over(self) -> None:
        """Take over from the last run, where the settings ask for it."""
        settings, info = self._settings, self._info
        if settings.resume is None:
            return
        legacy = legacy_of(Path(settings.runs), settings.name, but=info.run_id)
        if legacy is None:
            self.resumed = Resumption()
        else:
            allow = {ingress.name: ingress.allow for ingress in settings.ingress}
            self.resumed = resume(self._env, self._audit, legacy, info, allow)
            info.resumed = legacy.info.run_id
            self._said |= dict.fromkeys(legacy.values, f"as run {info.resumed} had it")
        _log.info("resume: %s", self.resumed)

    def take_in(self, values: Mapping[str, Any]) -> None:
        """As `Initial` does."""
        super().take_in(values)
        self._said |= dict.fromkeys(values, "as the real system has it")

    def apply(self, command: Command) -> Outcome:
        """Apply a command, and say which other word gives way to the settings."""
        outcome = self._audit.apply(command)
        if command.source == SETTINGS and isinstance(outcome, Change):
            for update in outcome.updates:
                if update.path in self._said and update.old != update.new:
                    _log.warning(
                        "parameters: %s is %r, as the settings say, and not %r, %s",
                        update.path,
                        update.new,
                        update.old,
                        self._said[update.path],
                    )
        return outcome
