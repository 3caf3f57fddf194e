"""A forecast: what many replications say of the time to come, scenario by scenario."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from despatch.forecasting.figures import Figure
from despatch.forecasting.grid import Grid
from despatch.forecasting.outlook import Array, Comparison, Outlook
from despatch.forecasting.page import page_of
from despatch.forecasting.picture import draw
from despatch.forecasting.report import report_of
from despatch.forecasting.stopping import confidence_of_a_look
from despatch.settings.forecast import BASE

if TYPE_CHECKING:
    from despatch.report import Report

__all__ = ["Forecast", "Scenario"]


@dataclass(frozen=True, eq=False)
class Scenario:
    """What all replications say where something is otherwise: an `Outlook` for each figure.

    Attributes:
        name: What it is called; ``base`` is where nothing is otherwise.
        parameters: What is otherwise, by path.
        values: All that was read: replications by figures by grid points; nan is no value. Not to
            be changed.
        outlooks: What they say of each figure, by its name.
    """

    name: str
    parameters: Mapping[str, Any]
    values: Array
    outlooks: Mapping[str, Outlook]

    def __getitem__(self, figure: str) -> Outlook:
        try:
            return self.outlooks[figure]
        except KeyError:
            raise KeyError(_unknown(figure, "figure", list(self.outlooks))) from None


class Forecast:
    """What many replications say of the time to come.

    ``forecast["Line_A.queue"]`` is the `Outlook` of a figure in the base, and
    ``forecast.scenarios["two lathes"]["Line_A.queue"]`` that in another scenario.

    Args:
        name: The simulation's name.
        seed: What the seeds are made from.
        grid: The grid points.
        figures: What was watched.
        scenarios: Path to value of what is otherwise, by scenario, the base first.
        values: What was read in each: replications by figures by grid points.
        quantiles: Which are reported.
        confidence: Of the answer.
        looks: How often it might have been exact enough to stop.
        is_exact: Whether it is as exact as it was asked to be; None where it was not asked.

    Attributes:
        name: The simulation's name.
        seed: What the seeds of the replications are made from: that of replication i is the same
            in every scenario.
        figures: What was watched.
        confidence: With which probability an interval covers what it is of.
        interval_confidence: The confidence that each interval was made with. It is greater than
            `confidence` where a precision was asked for, to make up for looking more than once.
        quantiles: Which quantiles are reported.
        scenarios: The scenarios by name, ``base`` first.
        is_exact: Whether it is as exact as it was asked to be; None where it was not asked.
    """

    def __init__(
        self,
        *,
        name: str,
        seed: int,
        grid: Grid,
        figures: Sequence[Figure],
        scenarios: Mapping[str, Mapping[str, Any]],
        values: Sequence[Array],
        quantiles: Sequence[float],
        confidence: float,
        looks: int = 1,
        is_exact: bool | None = None,
    ) -> None:
        self.name = name
        self.seed = seed
        self.figures = tuple(figures)
        self.confidence = confidence
        self.interval_confidence = confidence_of_a_look(confidence, looks)
        self.quantiles = tuple(quantiles)
        self.is_exact = is_exact
        self._grid = grid
        self.scenarios: dict[str, Scenario] = {
            scenario: Scenario(scenario, changes, matrix, self._outlooks(matrix))
            for (scenario, changes), matrix in zip(scenarios.items(), values, strict=True)
        }

    def __getitem__(self, figure: str) -> Outlook:
        return self.scenarios[BASE][figure]

    def __len__(self) -> int:
        """How many replications there are of each scenario."""
        return len(self.scenarios[BASE].values)

    def __repr__(self) -> str:
        names = ", ".join(self.scenarios)
        return f"<Forecast of {self.name}: {len(self)} replications of {names}>"

    @property
    def elapsed(self) -> list[float]:
        """How far each grid point is from the present, in simulated seconds; the first is 0."""
        return list(self._grid.elapsed)

    @property
    def times(self) -> list[float]:
        """The simulated time of each grid point."""
        return self._grid.times

    @property
    def wall_times(self) -> list[datetime] | None:
        """The wall time of each grid point; None where that of the present is not known.

        It is known from the state, or from `clock.start`.
        """
        return self._grid.wall_times

    @cached_property
    def comparisons(self) -> dict[str, dict[str, Comparison]]:
        """Each scenario but the base compared with it, by scenario and figure."""
        return {
            scenario: {each.name: self.compare(scenario, each.name) for each in self.figures}
            for scenario in self.scenarios
            if scenario != BASE
        }

    def compare(self, scenario: str, figure: str, with_: str = BASE) -> Comparison:
        """How a figure in a scenario differs from that in another, by the same seeds.

        Raises:
            KeyError: There is no such scenario or figure; with the nearest.
        """
        for each in (scenario, with_):
            if each not in self.scenarios:
                raise KeyError(_unknown(each, "scenario", list(self.scenarios)))
        return Comparison.of(
            scenario, self.scenarios[scenario][figure], self.scenarios[with_][figure]
        )

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that was read and of what it is of, in hexadecimal digits.

        The same settings, state and seed give the same, whoever performs the replications. Wall
        times are not in it.
        """
        about = {
            "name": self.name,
            "seed": self.seed,
            "figures": [each.name for each in self.figures],
            "times": self.times,
            "scenarios": {each.name: dict(each.parameters) for each in self.scenarios.values()},
        }
        digest = sha256(json.dumps(about, sort_keys=True, default=str).encode())
        for each in self.scenarios.values():
            matrix = np.where(np.isnan(each.values), np.nan, each.values)  # one nan for all
            digest.update(matrix.astype("<f8").tobytes())
        return digest.hexdigest()

    def to_json(self) -> bytes:
        """All of it as a JSON document; see `despatch.forecasting.report`."""
        return msgspec.json.encode(report_of(self))

    def to_html(self) -> str:
        """A page with the fan charts, which needs nothing else."""
        return page_of(self)

    def draw(self, file: str | Path) -> None:
        """Draw the fan charts as a PNG, with matplotlib.

        Raises:
            PluginError: There is no matplotlib.
            OSError: The file cannot be written.
        """
        draw(self, file)

    def deliver(
        self,
        egress: Sequence[Mapping[str, Any]],
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Report:
        """Deliver it as records to sinks; see `despatch.forecasting.delivery`.

        Args:
            egress: The sinks, as under `egress` in settings.
            settings: What else the run of its own is made of, such as `runs` and `courier`.

        Raises:
            SettingsError: The sinks have mistakes.
        """
        # A run, with all that it takes, is made by those who deliver alone.
        from despatch.forecasting.delivery import deliver

        return deliver(self, egress, settings=settings)

    def _outlooks(self, matrix: Array) -> dict[str, Outlook]:
        return {
            each.name: Outlook(each, matrix[:, i, :], self.quantiles, self.interval_confidence)
            for i, each in enumerate(self.figures)
        }


def _unknown(name: object, noun: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known)
    told = f"the nearest: {', '.join(near)}" if near else f"there are {', '.join(known)}"
    return f"{name}: no such {noun}; {told}"
