"""Delivery: the scored forecasts of a backtest as records, which go to sinks as any run's do.

It is a run of its own, without a model: so every sink that there is will do, and what a sink does
not take is accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from despatch.backtesting.result import Backtest
from despatch.report import Report
from despatch.run import Run

if TYPE_CHECKING:
    from despatch.courier.hosts import ProgressMode

__all__ = ["deliver"]

_LONGEST: Final = 40


def deliver(
    backtest: Backtest,
    egress: Sequence[Mapping[str, Any]],
    *,
    settings: Mapping[str, Any] | None = None,
    progress: ProgressMode = "none",
    origin: Path | None = None,
) -> Report:
    """Deliver a backtest to sinks: each `ScoredForecast` is an event, its key the figure's name.

    ``sim`` is that of the simulation with ``.backtest``, and simulated time how long the first
    instant was before the one that the forecast is of.

    Args:
        backtest: The backtest.
        egress: The sinks, as under `egress` in settings.
        settings: What else the run of its own is made of, such as `runs`.
        progress: How to show progress on standard error.
        origin: As for `Run`.

    Returns:
        What became of each record at each sink.

    Raises:
        SettingsError: The sinks have mistakes.
    """
    began = min((each.instant for each in backtest.forecasts), default=None)
    clock = {} if began is None else {"start": began.isoformat()}
    name = f"{backtest.name[:_LONGEST]}.backtest"
    of_run = {**(settings or {}), "name": name, "egress": list(egress), "clock": clock}
    with Run(of_run, progress=progress, origin=origin) as run:
        for each in backtest.forecasts:
            assert began is not None
            sim_time = (each.instant - began).total_seconds()
            if sim_time > run.env.now:
                run.env.run(sim_time)
            run.env.publish_event(each.figure, each)
    return run.report
