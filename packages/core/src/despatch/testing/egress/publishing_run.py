"""PublishingRun: a run with one sink: publish so many, hurt, mend, go on."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final

from despatch import DynamicEnvironment
from despatch.testing.played_run import PlayedRun

__all__ = ["PublishingRun", "value_of"]

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


class PublishingRun(PlayedRun):
    """A run with one sink, whose record number `n` has the value `value_of(n)`.

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
        super().__init__(settings, _model, patience_s)
        self.published = 0
        self._sink = self.run.settings.egress[0].name

    @property
    def state(self) -> str:
        """How the sink fares, as the simulation knows it."""
        return self.sink_state(self._sink).state

    @property
    def confirmed(self) -> int:
        """Up to which record the sink has confirmed."""
        return self.sink_cursor(self._sink).position

    @property
    def retries(self) -> int:
        """How many attempts have failed."""
        return self.sink_cursor(self._sink).retries

    def publish(self, seconds: int) -> None:
        """Publish for so many simulated seconds."""
        self.published += seconds * _PER_S
        self.run.env.run(until=self.published // _PER_S - 0.5)

    def until_confirmed(self) -> None:
        """Wait until the sink has confirmed all that was published."""
        self.until(lambda: self.confirmed >= self.published, f"record {self.published}")
