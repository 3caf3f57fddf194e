"""PlayedRun: a run in this process that goes on step by step, so that it can be hurt in between."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from despatch import Run
from despatch.courier.ledger import Cursor, Ledger
from despatch.link import IngressState, SinkState
from despatch.report import Report
from despatch.run import Model

__all__ = ["PlayedRun"]

_PAUSE_S: Final = 0.005


class PlayedRun:
    """A run, as a context manager.

    Args:
        settings: The run's settings, as a settings file says them.
        model: The model.
        patience_s: How long to wait for what has to come, in wall seconds.

    Attributes:
        run: The run.
    """

    def __init__(self, settings: Mapping[str, Any], model: Model, patience_s: float) -> None:
        self.run = Run(settings, model)
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        self.run.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.run.__exit__(*exc_info)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.run_id

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.run.folder.path

    @property
    def report(self) -> Report:
        """What became of it, once it has been left."""
        return self.run.report

    def sink_state(self, sink: str) -> SinkState:
        """How a sink fares, as the simulation knows it."""
        self.run._switchboard.attend()
        return self.run._switchboard.sinks.get(sink) or SinkState(sink, "connecting")

    def sink_cursor(self, sink: str) -> Cursor:
        """How far a sink has come."""
        self.run._switchboard.attend()
        ledger = Ledger(self.run.folder.ledger)
        try:
            return ledger.cursor(sink)
        finally:
            ledger.close()

    def live(self) -> None:
        """Let a little time pass."""
        self.run._switchboard.attend()
        time.sleep(_PAUSE_S)

    @property
    def states(self) -> Sequence[SinkState | IngressState]:
        """How sinks and sources fare, as far as the simulation knows it."""
        switchboard = self.run._switchboard
        return [*switchboard.sinks.values(), *switchboard._reception._states.values()]

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It did not come in time.
        """
        deadline = time.monotonic() + self._patience_s
        while not is_so():
            assert time.monotonic() < deadline, (
                f"{what} did not come within {self._patience_s:g} s; {self.states}"
            )
            self.live()

    def kill_courier(self) -> None:
        """Kill the courier, as `kill -9` does, and wait until another one is there."""
        courier: Any = self.run._switchboard._courier
        restarts = courier.restarts
        os.kill(courier._host.pid, signal.SIGKILL)
        self.until(lambda: courier.restarts > restarts and courier.is_there, "another courier")
