"""PlayedRun: a run with one sink, played step by step: publish so many, hurt, mend, go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from despatch import DynamicEnvironment, Run
from despatch.courier.ledger import Cursor, Ledger
from despatch.report import Report

__all__ = ["PlayedRun", "value_of"]

_PER_S: Final = 4
"""How many records the model publishes at each simulated second."""


def value_of(number: int) -> dict[str, Any]:
    """The value of the record that the model publishes as number `number`, counted from 0."""
    return {"number": number, "half": number / 2, "text": "ü" * (number * 7919 % 150)}


def _model(env: DynamicEnvironment) -> None:
    def publish() -> Generator[Any, Any, None]:
        number = 0
        while True:
            for _ in range(_PER_S):
                if number % 7 == 6:
                    env.publish_telemetry("Line.level", value_of(number))
                else:
                    env.publish_event(f"case-{number % 13}", value_of(number))
                number += 1
            yield env.timeout(1)

    env.process(publish())


class PlayedRun:
    """A run whose record number `n` has the value `value_of(n)`.

    Args:
        name: The simulation's name.
        entry: The sink, as a settings file says it.
        host: Where the courier lives, ``process`` or ``thread``.
        folder: Where the run's folder goes.
        patience_s: How long to wait for what has to come, in wall seconds.

    Attributes:
        published: How many records were published.
    """

    def __init__(
        self, name: str, entry: Mapping[str, Any], host: str, folder: Path, patience_s: float
    ) -> None:
        own = {
            "batch": {"records": 60, "interval": "20ms"},
            "retry": {"initial": "10ms", "maximum": "200ms"},
        }
        settings = {
            "name": name,
            "runs": folder / "runs",
            "courier": {"host": host, "grace": f"{patience_s:g}s"},
            "journal": {"flush": {"interval": "10ms"}},
            "egress": [{**own, **entry}],
        }
        self._run = Run(settings, _model)
        self._patience_s = patience_s
        self.published = 0

    def __enter__(self) -> Self:
        self._run.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._run.__exit__(*exc_info)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.run_id

    @property
    def report(self) -> Report:
        """What became of it, once it has been left."""
        return self._run.report

    @property
    def state(self) -> str:
        """How the sink fares, as the simulation knows it."""
        self._run._switchboard.attend()
        return next((each.state for each in self._run._switchboard.sinks.values()), "")

    @property
    def confirmed(self) -> int:
        """Up to which record the sink has confirmed."""
        return self._cursor.position

    @property
    def retries(self) -> int:
        """How many attempts have failed."""
        return self._cursor.retries

    @property
    def _cursor(self) -> Cursor:
        self._run._switchboard.attend()
        ledger = Ledger(self._run.folder.ledger)
        try:
            return ledger.cursor(self._run.settings.egress[0].name)
        finally:
            ledger.close()

    def publish(self, seconds: int) -> None:
        """Publish for so many simulated seconds."""
        self.published += seconds * _PER_S
        self._run.env.run(until=self.published // _PER_S - 0.5)

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + self._patience_s
        while not is_so():
            assert time.monotonic() < deadline, (
                f"{what} did not come within {self._patience_s:g} s; the sink is {self.state!r}"
            )
            time.sleep(0.01)

    def until_confirmed(self) -> None:
        """Wait until the sink has confirmed all that was published."""
        self.until(lambda: self.confirmed >= self.published, f"record {self.published}")

    def kill_courier(self) -> None:
        """Kill the courier, as `kill -9` does, and wait until another one is there."""
        courier: Any = self._run._switchboard._courier
        restarts = courier.restarts
        os.kill(courier._host.pid, signal.SIGKILL)

        def is_back() -> bool:
            self._run._switchboard.attend()
            return courier.restarts > restarts and bool(courier.is_there)

        self.until(is_back, "another courier")
