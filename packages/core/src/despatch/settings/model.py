"""Settings: what a run is made of, as one model.

A settings file says the same in YAML; `despatch.settings.file` reads it, asks the plugins that it
names about their part, and finds every mistake at once. That is the way to make `Settings` of
data that somebody wrote: the model alone knows nothing of what is installed, so it takes a
plugin's part as it comes and shows none of it.

Secrets are hidden in `repr`, `str` and `model_dump`. `Settings.reveal` alone gives them away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from despatch.durations import Duration, PositiveDuration
from despatch.mistakes import mistake
from despatch.pacing.lag import LAG_TOLERANCE, LagPolicy
from despatch.settings.backtest import BacktestSettings
from despatch.settings.entries import (
    REVEAL,
    BatchSettings,
    EgressSettings,
    ExecutorSettings,
    IngressSettings,
    RetrySettings,
    SerializerSettings,
    StateSettings,
    by_name,
    doubles,
    named,
)
from despatch.settings.forecast import ForecastSettings
from despatch.settings.references import plain
from despatch.settings.types import Bytes, CallableName, Count, Name, Number, Part, WholeNumber

__all__ = [
    "FIT_TOGETHER",
    "BacktestSettings",
    "BatchSettings",
    "ClockSettings",
    "CourierSettings",
    "EgressSettings",
    "ExecutorSettings",
    "FlushSettings",
    "ForecastSettings",
    "IngressSettings",
    "JournalSettings",
    "LagSettings",
    "LogsSettings",
    "MetricsSettings",
    "RetrySettings",
    "SerializerSettings",
    "Settings",
    "StateSettings",
    "StatisticsSettings",
    "Sync",
    "WhenFull",
]

FIT_TOGETHER: Final = "fit_together"
"""In the context of a validation: the entries are known to fit together."""


class LagSettings(Part):
    """How late a paced run may be.

    Attributes:
        tolerance: How late, of wall time; None tolerates any lag.
        policy: What happens when it is later: ``warn`` logs it, and once more when it has
            recovered; ``stop`` ends the run, which has then failed.
    """

    tolerance: PositiveDuration | None = LAG_TOLERANCE
    policy: LagPolicy = "warn"

    @model_validator(mode="after")
    def _stop_goes_by_something(self) -> Self:
        if self.policy == "stop" and self.tolerance is None:
            raise mistake("`tolerance` to be a duration where `policy` is stop")
        return self


class ClockSettings(Part):
    """How simulated time passes.

    Attributes:
        factor: Wall seconds for each simulated second; 0 is as fast as the machine allows.
        until: How much simulated time to run; None runs until nothing is left to do.
        start: The wall time that simulated 0 stands for; None is when the run starts.
        lag: How late a paced run may be.
    """

    factor: Annotated[Number, Field(ge=0.0)] = 0.0
    until: Duration | None = None
    start: AwareDatetime | None = None
    lag: LagSettings = LagSettings()


class FlushSettings(Part):
    """When what was published is written to the journal.

    Attributes:
        interval: At the latest after so much wall time.
        bytes: At the latest after so many bytes.
    """

    interval: PositiveDuration = timedelta(milliseconds=100)
    bytes: Bytes = ByteSize(256 * 1024)


WhenFull: TypeAlias = Literal["block", "drop_oldest", "fail"]
Sync: TypeAlias = Literal["os", "interval", "frame"]


class JournalSettings(Part):
    """The journal of records.

    Attributes:
        flush: When it is written.
        max_bytes: How much of it the slowest sink may have yet to take, in bytes; with more, or
            on a full disk, the journal is full.
        when_full: What happens then: ``block`` holds the simulation until there is room,
            ``drop_oldest`` gives up the oldest records that are not delivered, ``fail`` ends the
            run. None is ``block`` at factor 0 and ``drop_oldest`` where the clock is paced.
        sync: What a loss of power may cost: what the operating system had not yet put on the disk
            (``os``), what was written within the last `sync_interval` (``interval``), or nothing
            that was written (``frame``, which holds the simulation for as long as the disk takes).
        sync_interval: How often the courier has the disk take what was written, in wall time,
            where `sync` is ``interval``.
        segment_bytes: How large a segment file grows before the next is begun.
        keep: How long a segment is kept after it was last written to, in wall time, though every
            sink has passed it: for a replay, or for a sink that is added later.
    """

    flush: FlushSettings = FlushSettings()
    max_bytes: Bytes = ByteSize(4 * 1024**3)
    when_full: WhenFull | None = None
    sync: Sync = "os"
    sync_interval: PositiveDuration = timedelta(seconds=1)
    segment_bytes: Bytes = ByteSize(64 * 1024 * 1024)
    keep: Duration = timedelta(0)


class CourierSettings(Part):
    """The courier, which hosts the connectors.

    Attributes:
        host: A process of its own, or a thread of the simulator's.
        grace: How long it may go on delivering after the run's end, in wall time; what is not
            delivered by then stays owed.
        connect_timeout: How long the run waits at its start for what is waiting at the sources,
            in wall time.
    """

    host: Literal["process", "thread"] = "process"
    grace: Duration = timedelta(seconds=30)
    connect_timeout: Duration = timedelta(seconds=10)


class MetricsSettings(Part):
    """The endpoint that Prometheus asks, served by the courier.

    Attributes:
        port: The TCP port.
        host: The address to listen on; by default none but this machine can ask.
    """

    port: Annotated[Count, Field(le=65535)] = 9464
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"


class LogsSettings(Part):
    """What is said on standard error while a run goes on, by the command line.

    Attributes:
        format: Lines for people, or a JSON object a line.
        level: What despatch says of itself, at least so serious. What libraries say is shown from
            `warning` on.
    """

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class StatisticsSettings(Part):
    """The statistics of the resources.

    Attributes:
        keep: Whether every resource keeps statistics that does not say otherwise; by default
            where there is an `interval`.
        interval: At which interval of simulated time the statistics of the named resources are
            published as telemetry, and the clock's lag with them; None publishes none.
    """

    keep: bool | None = None
    interval: PositiveDuration | None = None

    @property
    def is_kept(self) -> bool:
        """Whether every resource keeps statistics that does not say otherwise."""
        return self.interval is not None if self.keep is None else self.keep


class Settings(Part):
    """What a run is made of.

    Attributes:
        name: The simulation's name, ``sim`` in its records.
        model: Where the model is, as ``module:callable``; the callable gets the environment.
            None where the model is given in Python.
        clock: How simulated time passes.
        seed: The seed of all random streams; None takes a new one, which the run's folder keeps.
        parameters: Values, by path, that take the place of the model's own at the start.
        state: Where the present state of the real system is read, whose values are set at the
            start, before `parameters`; None reads none.
        plugins: Names of plugins, or of their distributions, that may be loaded; None allows all.
        ingress: The sources of commands.
        egress: The sinks for records; their names differ.
        statistics: The statistics of the resources.
        journal: The journal of records.
        courier: The courier.
        metrics: The endpoint that Prometheus asks; None serves none.
        logs: What is said on standard error.
        resume: ``last`` takes over from the last run of the same name in the same `runs`: its
            registry's values, the scheduled commands that are not yet due, and the ids of
            commands that it knew. None starts afresh.
        executor: Where the replications of the model are performed.
        forecast: How the model forecasts.
        backtest: How its forecasts are scored by what really came.
        runs: The folder that the runs' folders are in.
    """

    name: Name = "simulation"
    model: CallableName | None = None
    clock: ClockSettings = ClockSettings()
    seed: WholeNumber | None = None
    parameters: Annotated[dict[str, Any], AfterValidator(plain)] = Field(default_factory=dict)
    state: StateSettings | None = None
    plugins: list[str] | None = None
    ingress: list[IngressSettings] = Field(default_factory=list)
    egress: list[EgressSettings] = Field(default_factory=list)
    statistics: StatisticsSettings = StatisticsSettings()
    journal: JournalSettings = JournalSettings()
    courier: CourierSettings = CourierSettings()
    metrics: MetricsSettings | None = None
    logs: LogsSettings = LogsSettings()
    resume: Literal["last"] | None = None
    executor: Annotated[ExecutorSettings, BeforeValidator(by_name)] = ExecutorSettings()
    forecast: ForecastSettings = ForecastSettings()
    backtest: BacktestSettings = BacktestSettings()
    runs: Path = Path(".despatch")

    @field_validator("ingress", "egress", mode="before")
    @classmethod
    def _name_entries(cls, value: Any) -> Any:
        return named(value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _entries_fit_together(self, info: ValidationInfo) -> Self:
        # Where a file is read, its reader has looked at this, and knows the lines.
        if info.context is not None and info.context.get(FIT_TOGETHER):
            return self
        lists: list[tuple[str, Sequence[IngressSettings | EgressSettings]]] = [
            ("ingress", self.ingress),
            ("egress", self.egress),
        ]
        for key, entries in lists:
            for i, first in doubles([entry.name for entry in entries]):
                raise mistake(f"{key}[{i}] to have another name than {key}[{first}]")
            for i, entry in enumerate(entries):
                if not isinstance(entry.connector, str) and self.courier.host != "thread":
                    raise mistake(f"courier.host to be thread: {key}[{i}] has a live connector")
        return self

    def reveal(self) -> dict[str, Any]:
        """The settings as plain JSON data, secrets and all: for a private pipe, never for a file.

        `Settings.model_validate` reads it again. A live connector becomes ``live:ClassName``.
        """
        return self.model_dump(mode="json", context={REVEAL: True})
