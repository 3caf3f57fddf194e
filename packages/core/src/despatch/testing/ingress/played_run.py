"""PlayedRun: a run with one ingress, whose model lives on until what was waited for is so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field

from despatch import DynamicEnvironment, Run, SimParameter
from despatch.audit.journal import AuditReader

__all__ = ["PlayedRun"]

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


class PlayedRun:
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
        self._run = Run(settings, _model)
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        self._run.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._run.__exit__(*exc_info)

    @property
    def settled(self) -> int:
        """How many commands were applied or refused so far."""
        return self._run.commands.applied + self._run.commands.refused

    @property
    def state(self) -> str:
        """How the ingress fares, as the simulation knows it."""
        states = self._run._switchboard._reception._states.values()
        return next((each.state for each in states), "")

    @property
    def effects(self) -> tuple[list[Any], list[list[str]]]:
        """What the level was set to, in order, and the paths of the commands that were refused.

        As the audit journal has it, once the run has been left.
        """
        applied: list[Any] = []
        refused: list[list[str]] = []
        for entry in AuditReader(self._run.folder.audit):
            outcome = entry.outcome or {}
            if outcome.get("type") == "change":
                applied += [update["new"] for update in outcome["updates"]]
            elif outcome.get("type") == "refusal":
                refused.append(list(outcome.get("updates", ())))
        return applied, refused

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Let the model live on until something is so."""
        deadline = time.monotonic() + self._patience_s
        while not is_so():
            assert time.monotonic() < deadline, (
                f"{what} did not come within {self._patience_s:g} s; the ingress is {self.state!r}"
            )
            self._run.env.run(until=self._run.env.now + _STEP)

    def kill_courier(self) -> None:
        """Kill the courier, as `kill -9` does, and wait until another one is there."""
        courier: Any = self._run._switchboard._courier
        restarts = courier.restarts
        os.kill(courier._host.pid, signal.SIGKILL)
        self.until(lambda: courier.restarts > restarts and courier.is_there, "another courier")
