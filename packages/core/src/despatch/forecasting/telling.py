"""Telling: a forecast in words and rows, for the terminal and for pages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from despatch.durations import format_duration
from despatch.forecasting.chart import number, pairs
from despatch.renderings import counted

if TYPE_CHECKING:
    from despatch.forecasting.forecast import Forecast
    from despatch.forecasting.outlook import Crossing, Outlook, Share

__all__ = [
    "COLUMNS",
    "DIFFERENCE_COLUMNS",
    "crossing_in_words",
    "differences",
    "headline",
    "legend",
    "percent",
    "rows",
]

COLUMNS: Final = ("figure", "scenario", "mean")
DIFFERENCE_COLUMNS: Final = ("figure", "scenario", "difference", "lower", "higher")


def headline(forecast: Forecast) -> str:
    """What it is a forecast of, and how sure it is."""
    ahead = format_duration(timedelta(seconds=forecast.elapsed[-1]))
    parts = [
        f"{forecast.name}, {ahead} ahead",
        f"{counted(len(forecast), 'replication')} of {counted(len(forecast.scenarios), 'scenario')}"
        if len(forecast.scenarios) > 1
        else counted(len(forecast), "replication"),
        f"intervals at {percent(forecast.confidence)}",
        f"seed {forecast.seed}",
    ]
    if forecast.is_exact is not None:
        parts.append("as exact as asked for" if forecast.is_exact else "not as exact as asked for")
    return " · ".join(parts)


def legend(forecast: Forecast) -> str:
    """What the line and the bands of its charts are."""
    outlook = forecast[forecast.figures[0].name]
    bands = [f"{percent(low)} to {percent(high)}" for low, high in pairs(outlook)]
    return f"line: median{'; bands: ' if bands else ''}{', '.join(bands)} of the replications"


def rows(forecast: Forecast) -> list[list[str]]:
    """What each figure is at the horizon: its name, the scenario, the mean, and the quantiles."""
    return [
        [
            _called(outlook),
            scenario,
            _mean(outlook),
            *(number(band.value[-1]) for band in outlook.bands.values()),
        ]
        for figure in forecast.figures
        for scenario, each in forecast.scenarios.items()
        for outlook in [each[figure.name]]
    ]


def differences(forecast: Forecast) -> list[list[str]]:
    """How each figure differs from the base at the horizon."""
    found = []
    for figure in forecast.figures:
        for scenario, compared in forecast.comparisons.items():
            comparison = compared[figure.name]
            estimate = comparison.estimates[-1]
            told = "-"
            if estimate is not None:
                half = "?" if estimate.half_width is None else number(estimate.half_width)
                told = f"{'+' if estimate.mean > 0 else ''}{number(estimate.mean)} ± {half}"
            lower, higher = _with_interval(comparison.lower), _with_interval(comparison.higher)
            found.append([figure.name, scenario, told, lower, higher])
    return found


def crossing_in_words(outlook: Outlook, crossing: Crossing) -> str:
    """How probable it is that a limit is crossed."""
    unit = f" {outlook.figure.unit}" if outlook.figure.unit else ""
    return (
        f"{crossing.side} {number(crossing.limit)}{unit} at some grid point: "
        f"{_with_interval(crossing)}"
    )


def percent(share: float) -> str:
    """A share for people: 0.95 is ``95 %``."""
    return f"{100 * share:.3g} %" if share == share else "-"


def _with_interval(share: Share) -> str:
    low, high = 100 * float(share.low[-1]), 100 * float(share.high[-1])
    return f"{percent(float(share.value[-1]))} ({low:.3g} to {high:.3g} %)"


def _mean(outlook: Outlook) -> str:
    estimate = outlook.estimates[-1]
    if estimate is None:
        return "-"
    half = "" if estimate.half_width is None else f" ± {number(estimate.half_width)}"
    return f"{number(estimate.mean)}{half}"


def _called(outlook: Outlook) -> str:
    unit = outlook.figure.unit
    return f"{outlook.figure.name} [{unit}]" if unit else outlook.figure.name
