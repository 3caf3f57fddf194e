"""Earlier runs of the same name, before a new one begins: what they owe is delivered first.

The clock has not started, and it does not wait for long: a sink that fails at once is given up at
once, and all together may take as long as the sources may (`courier.connect_timeout`). What is
still owed then stays so, and is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import typer

from despatch.cli.late_delivery import LateDelivery
from despatch.concealment import Concealer
from despatch.courier.stopping import Stopping
from despatch.errors import DespatchError, RunError
from despatch.history import PastRun, past_runs
from despatch.settings import Settings

__all__ = ["see_to_earlier_runs"]

_log = logging.getLogger("despatch")

STOPPED: Final = 1


def see_to_earlier_runs(settings: Settings, conceal: Concealer) -> None:
    """Deliver what earlier runs of the same name owe, older ones first, and tell of the rest.

    Args:
        settings: The settings of the new run.
        conceal: Learns the secrets of the connectors.

    Raises:
        typer.Exit: SIGINT or SIGTERM came meanwhile.
    """
    unreadable: list[RunError] = []
    runs = past_runs(Path(settings.runs), name=settings.name, unreadable=unreadable)
    for error in unreadable:
        _log.warning("%s", error)
    for run in runs:
        if run.problem is not None:
            _log.warning("run %s: %s", run.info.run_id, run.problem)
        if run.state == "killed":
            _tell_that_killed(run, settings)
    with Stopping(STOPPED) as stopping:
        _deliver(runs, settings.courier.connect_timeout, stopping, conceal)
    for run in runs:
        if run.owed:
            _tell_what_is_owed(run)
    if stopping.asked_by is not None:
        _log.warning("stopped by %s before the run began", stopping.asked_by)
        raise typer.Exit(STOPPED)


def _deliver(
    runs: Sequence[PastRun], limit: timedelta, stopping: Stopping, conceal: Concealer
) -> None:
    delivery = LateDelivery(
        runs, _log.warning, stopping=stopping, conceal=conceal, is_patient=False
    )
    deadline = time.monotonic() + limit.total_seconds()
    for run in runs:
        left_s = deadline - time.monotonic()
        if not run.owed or run.state == "under way" or left_s <= 0:
            continue
        owed = sum(run.owed.values())
        _log.info("run %s owes %s records, which come first", run.info.run_id, f"{owed:,}")
        try:
            delivery.deliver(run, timedelta(seconds=left_s))
        except DespatchError as error:
            _log.warning("run %s: %s", run.info.run_id, error)


def _tell_that_killed(run: PastRun, settings: Settings) -> None:
    _log.warning(
        "run %s was killed. What it published in its last %g s may never have been written; "
        "%s records were.",
        run.info.run_id,
        settings.journal.flush.interval.total_seconds(),
        f"{run.published:,}",
    )


def _tell_what_is_owed(run: PastRun) -> None:
    owed = ", ".join(f"{count:,} to {sink}" for sink, count in run.owed.items())
    _log.warning(
        "run %s owes %s. Deliver with: despatch runs deliver %s",
        run.info.run_id,
        owed,
        run.folder,
    )
