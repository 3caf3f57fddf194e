"""CommandedRun: a run with one ingress, whose model lives on while something is waited for."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from despatch import DynamicEnvironment, SimParameter
from despatch.audit.journal import AuditReader
from despatch.testing.played_run import PlayedRun

__all__ = ["CommandedRun"]

_FACTOR: Final = 0.001
_STEP: Final = 10


class _Kit(SimParameter):
    level: int = Field(default=0, ge=0)
    other: int = Field(default=0, ge=0)


def _model(env: DynamicEnvironment) -> None:
    env.registry.register("Kit", _Kit())

    def tick() -> Generator[Any, Any, Any]:
        while True:
            yield env.timeout(1)

    env.process(tick())


class CommandedRun(PlayedRun):
    """A run whose model has the parameters `Kit.level` and `Kit.other`; only the first is allowed.

    Args:
        name: The simulation's name.
        entry: The ingress, as a settings file says it.
        folder: Where the run's folder goes.
        patience_s: How long to wait for what has to come, in wall seconds.
    """

    def __init__(
        self, name: str, entry: Mapping[str, Any], folder: Path, patience_s: float
    ) -> None:
        settings = {
            "name": name,
            "runs": folder / "runs",
            "clock": {"factor": _FACTOR},
            "ingress": [{**entry, "allow": ["Kit.level"]}],
        }
        super().__init__(settings, _model, patience_s)

    @property
    def settled(self) -> int:
        """How many commands were applied or refused so far."""
        return self.run.commands.applied + self.run.commands.refused

    @property
    def state(self) -> str:
        """How the ingress fares, as the simulation knows it."""
        return next((each.state for each in self.states), "")

    @property
    def effects(self) -> tuple[list[Any], list[list[str]]]:
        """What the level was set to, in order, and the paths of the commands that were refused.

        As the audit journal has it, once the run has been left.
        """
        applied: list[Any] = []
        refused: list[list[str]] = []
        for entry in AuditReader(self.run.folder.audit):
            outcome = entry.outcome or {}
            if outcome.get("type") == "change":
                applied += [update["new"] for update in outcome["updates"]]
            elif outcome.get("type") == "refusal":
                refused.append(list(outcome.get("updates", ())))
        return applied, refused

    def live(self) -> None:
        """Let the model go on."""
        self.run.env.run(until=self.run.env.now + _STEP)
