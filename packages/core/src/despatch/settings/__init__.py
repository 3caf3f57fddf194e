"""Settings: what a run is made of, from the file that a user writes to the model that a run takes.

`Settings` is the model. `file` reads a YAML file or a mapping into it and finds every mistake at
once, with the help of `plugin_parts` for what belongs to plugins; `explanations` puts what
pydantic has against a value into words; `references` are ``${NAME}`` and ``${file:/path}``;
`written` is what the run's folder keeps.
"""

from despatch.settings.model import (
    FIT_TOGETHER,
    BacktestSettings,
    BatchSettings,
    ClockSettings,
    CourierSettings,
    EgressSettings,
    ExecutorSettings,
    FlushSettings,
    ForecastSettings,
    IngressSettings,
    JournalSettings,
    LagSettings,
    LogsSettings,
    MetricsSettings,
    RetrySettings,
    SerializerSettings,
    Settings,
    StateSettings,
    StatisticsSettings,
    Sync,
    WhenFull,
)

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
