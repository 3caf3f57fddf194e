"""A run: a model, its settings, and everything between them from start to report.

created → connecting → running → draining → finished | failed
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypeVar

from despatch.account import Reckoning, reckon
from despatch.audit.resumption import Resumption
from despatch.courier.hosts import Host, ProcessHost, ProgressMode, ThreadHost
from despatch.distributions.seeds import new_seed
from despatch.environment import DynamicEnvironment
from despatch.errors import DespatchError, JournalError, StateError
from despatch.interfaces import EgressConnector
from despatch.plugins import Plugins
from despatch.report import CommandCount, Report
from despatch.restoring.beginning import Build, Resume, begin_model, initial_time_of, no_resume
from despatch.run_initial import RunInitial
from despatch.run_signals import RunSignals
from despatch.runs import RunFolder, RunInfo, RunState, new_run_id
from despatch.settings import Settings
from despatch.settings.file import settings_from
from despatch.settings.written import as_written
from despatch.state_reading.reading import StateReading, read_state
from despatch.switchboard import Switchboard
from despatch.watchers import Watchers

__all__ = ["Model", "Run", "environment_of"]

_log = logging.getLogger("despatch")

Model: TypeAlias = Build

_Environment = TypeVar("_Environment", bound=DynamicEnvironment)


def environment_of(info: RunInfo, kind: type[_Environment], **lag: Any) -> _Environment:
    """The environment of a run, as new.

    Args:
        info: What the run is.
        kind: The class of the environment.
        **lag: How late it may be, as for `DynamicEnvironment`.
    """
    env = kind(
        info.initial_time or 0,  # an int, as it is without a state
        factor=info.factor,
        start=info.start,
        seed=info.seed,
        name=info.name,
        statistics=info.keeps_statistics,
        **lag,
    )
    if info.statistics_interval_s is not None:
        env.publish_statistics(info.statistics_interval_s)
    return env


class Run:
    """Runs a model under settings, as a context manager.

    Entering reads the state of the real system where the settings say so, makes the run's folder,
    builds the model, starts the courier and waits for what is waiting at the sources. Leaving
    drains, and makes the report; an exception of the model's goes on its way after all that was
    published has been delivered.

    >>> from despatch import Run
    >>> def build(env):
    ...     env.publish_event("part-1", {"status": "made"})
    >>> settings = {
    ...     "runs": tmp_path, "egress": [{"connector": "memory"}], "courier": {"host": "thread"}
    ... }
    >>> with Run(settings, build) as run:
    ...     run.env.run(until=10)
    >>> run.report.published, run.report.owed
    (1, 0)

    Args:
        settings: The run's settings, as a settings file would say them. References such as
            ``${PASSWORD}`` are resolved; the run's folder keeps the settings as they are written
            here, so secrets belong in references.
        model: Called with the environment before the clock starts.
        resume: Called in the place of `model` where the state of the real system has more than
            parameters, with the environment and the `Snapshot`; see `DynamicEnvironment.restore`.
        progress: How to show progress on standard error.
        handle_signals: Whether SIGINT and SIGTERM end the run in order: the first drains, a
            second stops at once. Only in the main thread.
        origin: The folder of the settings file, beside which the model was found; the run's
            folder keeps it for a replay.

    Raises:
        SettingsError: The settings have mistakes; with all of them. On entering, also for
            `parameters` that the model does not take.
        StateError: On entering: the state of the real system cannot be had, or has work and there
            is no `resume`, and there is no run; or the model does not take it, or not all of it.

    Attributes:
        settings: The settings, checked and resolved.
        run_id: Names the run for ever.
        env: The environment.
        commands: What became of the commands so far.
        resumed: What was taken over from the last run; None where the settings do not ask for it.
        report: What became of the run, once it has been left.
    """

    env: DynamicEnvironment
    report: Report
    resumed: Resumption | None = None

    def __init__(
        self,
        settings: Mapping[str, Any],
        model: Model | None = None,
        *,
        resume: Resume | None = None,
        progress: ProgressMode = "none",
        handle_signals: bool = False,
        origin: Path | None = None,
    ) -> None:
        self.settings: Settings = settings_from(settings, make_plugins=True)
        self.run_id = new_run_id()
        self._written = settings
        self._model = model
        self._resume = resume
        # Where there is a JSON object a line, there is nothing in between.
        is_json = self.settings.logs.format == "json"
        self._progress: ProgressMode = "none" if is_json else progress
        self._handle_signals = handle_signals
        self._origin = origin
        self.commands = CommandCount()
        self._signals = RunSignals(self._on_signal)

    def __enter__(self) -> Run:
        settings = self.settings
        # Before anything is made: without its state, there is no run.
        state = read_state(settings)
        self._check_can_take_in(state)
        now = datetime.now(UTC)
        snapshot = None if state is None else state.snapshot
        initial_time = initial_time_of(snapshot, None)
        interval = settings.statistics.interval
        info = RunInfo(
            run_id=self.run_id,
            name=settings.name,
            start=settings.clock.start or now - timedelta(seconds=initial_time),
            initial_time=initial_time,
            created=now,
            seed=new_seed() if settings.seed is None else settings.seed,
            factor=settings.clock.factor,
            version=version("despatch"),
            origin=None if self._origin is None else str(self._origin.absolute()),
            keeps_statistics=settings.statistics.is_kept,
            statistics_interval_s=None if interval is None else interval.total_seconds(),
        )
        written = as_written(self._written, settings)
        self.folder = RunFolder.create(Path(settings.runs), info, written, snapshot)
        self._began = time.monotonic()
        self._watchers = Watchers(Plugins(allowed=settings.plugins), info)
        lag = settings.clock.lag
        self.env = environment_of(
            info, DynamicEnvironment, lag_tolerance=lag.tolerance, lag_policy=lag.policy
        )
        self.env.registry.on_outcome.append(self.commands.count)
        self._switchboard = Switchboard(self.env, self.folder, settings, self._host())
        if self._handle_signals:
            self._signals.catch(self.env.doorbell.wakeup_fd)
        try:
            self._set("connecting")
            self._switchboard.open()
            self._begin(state)
            self._switchboard.audit.begun(self.folder.info.resumed)
            self._switchboard.connect(settings.courier.connect_timeout.total_seconds())
            self._watchers.call("despatch_run_started")
            self._set("running")
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def run(self) -> None:
        """Run the model to `clock.until`, or to its end where there is none."""
        until = self.settings.clock.until
        begun_at = self.folder.info.initial_time
        self.env.run(None if until is None else begun_at + until.total_seconds())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(error)

    @property
    def sinks(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks by name, where the courier is a thread."""
        return self._switchboard.connectors

    def _check_can_take_in(self, state: StateReading | None) -> None:
        if state is not None and state.snapshot.has_work and self._resume is None:
            raise state.refused(no_resume(state.snapshot))

    def _host(self) -> Host:
        cls = ThreadHost if self.settings.courier.host == "thread" else ProcessHost
        return cls(self.folder, self.settings, self._progress)

    def _begin(self, state: StateReading | None) -> None:
        """Have the model built, or take the state in, and set what it begins with."""
        initial = RunInitial(self.env, self._switchboard.audit, self.settings, self.folder.info)
        snapshot = None
        if state is not None:
            _log.info("state: %s", state)
            snapshot = state.snapshot
        try:
            begin_model(self.env, initial, self._model, self._resume, snapshot)
        except StateError as error:
            raise error if state is None else state.refused(str(error)) from error
        finally:
            self.resumed = initial.resumed

    def _leave(self, error: BaseException | None) -> None:
        try:
            self._set("draining")
        except OSError as unsaved:
            # A full disk, for instance, is no reason to leave without draining.
            _log.error("%s: %s", self.folder.path, unsaved)
        try:
            self._drain_and_conclude(error)
        finally:
            self._signals.release()

    def _drain_and_conclude(self, error: BaseException | None) -> None:
        try:
            self._switchboard.drain(self.settings.courier.grace.total_seconds())
        except JournalError as unwritten:
            self._signals.hush()
            self._conclude(error or unwritten)
            raise
        self._signals.hush()
        self._conclude(error)

    def _conclude(self, error: BaseException | None) -> None:
        """Make the report, whatever is wrong with the run or with its accounts.

        Raises:
            AccountError: An account does not add up, and the run itself has not failed.
            JournalError: The journal cannot be read, likewise.
            RunError: The ledger cannot be read, likewise.
        """
        folder, env = self.folder, self.env
        reckoning, fault = self._reckon()
        reasons = [] if error is None else [f"{type(error).__name__}: {error}"]
        reasons += [] if fault is None else [str(fault)]
        folder.info.error = "\n".join(reasons) or None
        state: Literal["finished", "failed"] = "failed" if reasons else "finished"
        self.report = Report(
            run_id=folder.info.run_id,
            name=folder.info.name,
            folder=str(folder.path),
            state=state,
            error=folder.info.error,
            stopped_by=env.stop_reason,
            sim_time=float(env.now),
            wall_s=time.monotonic() - self._began,
            max_lag_s=env.clock.max_lag_s,
            published=self._switchboard.published,
            unwritten=self._switchboard.published - reckoning.published,
            commands=self.commands,
            courier_restarts=self._switchboard.restarts,
            held_s=self._switchboard.held_s,
            sinks=reckoning.accounts,
        )
        try:
            self._set(state)
            folder.save_report(self.report.to_json())
        except OSError as unsaved:
            # The report is there all the same, for whoever holds the run.
            _log.error("%s: the report cannot be kept: %s", folder.path, unsaved)
        folder.unlock()
        env.doorbell.close()
        self._watchers.call("despatch_run_finished", report=self.report)
        if fault is not None and error is None:
            raise fault

    def _reckon(self) -> tuple[Reckoning, DespatchError | None]:
        """The accounts, as far as they can be read, and what is wrong with them."""
        try:
            reckoning = reckon(self.folder, self.settings.egress)
        except DespatchError as unreadable:
            return Reckoning(self._switchboard.published, []), unreadable
        return reckoning, reckoning.error

    def _set(self, state: RunState) -> None:
        self.folder.info.state = state
        self.folder.save()

    def _on_signal(self, name: str) -> None:
        if self.env.stop_reason is None:
            self.env.stop(name)
        else:
            self._switchboard.abandon()
