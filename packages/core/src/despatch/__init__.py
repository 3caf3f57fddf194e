"""despatch: a switchboard for live discrete-event simulation.

Data goes in and out of a running SimPy model: parameters change while it runs, records stream to
sinks, and the clock is never held up by I/O.

What is public is imported when it is first asked for: the courier, a command of the command line
or a model that only simulates does not pay for what the others need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from despatch.__about__ import __version__
    from despatch.backtesting.backtest import backtest
    from despatch.backtesting.history import History
    from despatch.backtesting.result import Backtest, Score, ScoredForecast
    from despatch.backtesting.scores import Coverage
    from despatch.branching.handles import Branch, Branches
    from despatch.branching.plan import BranchResult
    from despatch.commands import Change, Command, DryRun, Outcome, Refusal, Scheduled, Update
    from despatch.distributions import (
        Constant,
        Distribution,
        Empirical,
        Exponential,
        Gamma,
        LogNormal,
        Normal,
        Triangular,
        TruncatedNormal,
        Uniform,
        Weibull,
    )
    from despatch.environment import DynamicEnvironment
    from despatch.errors import (
        AccountError,
        BranchError,
        DespatchError,
        HistoryError,
        InvalidUpdateError,
        JournalError,
        JournalFullError,
        LagError,
        PluginError,
        Problem,
        RegistryError,
        ReplicationError,
        RunError,
        SettingsError,
        StateError,
        UnknownPathError,
        WrongThreadError,
    )
    from despatch.forecasting.figures import Figure
    from despatch.forecasting.forecast import Forecast, Scenario
    from despatch.forecasting.forecasting import forecast
    from despatch.forecasting.outlook import Band, Comparison, Crossing, Outlook, Share
    from despatch.parameters import SimParameter
    from despatch.records import Event, Record, Telemetry
    from despatch.registry import Registry
    from despatch.registry.signals import Signal
    from despatch.registry.watches import Watch
    from despatch.replaying.differences import Difference
    from despatch.replaying.replay import ReplayReport, replay
    from despatch.replications.estimates import Estimate
    from despatch.replications.replicate import Replications, replicate
    from despatch.replications.replication import Replication
    from despatch.report import Report
    from despatch.resources import (
        CapacityLost,
        DynamicContainer,
        DynamicFilterStore,
        DynamicPreemptiveResource,
        DynamicPriorityResource,
        DynamicPriorityStore,
        DynamicResource,
        DynamicStore,
        LineStatistics,
        ShrinkPolicy,
        StockStatistics,
        UseStatistics,
    )
    from despatch.restoring.restored import Restored
    from despatch.restoring.work import Work
    from despatch.run import Run
    from despatch.settings import Settings
    from despatch.snapshots import Snapshot
    from despatch.value_types import ValueType

__all__ = [
    "AccountError",
    "Backtest",
    "Band",
    "Branch",
    "BranchError",
    "BranchResult",
    "Branches",
    "CapacityLost",
    "Change",
    "Command",
    "Comparison",
    "Constant",
    "Coverage",
    "Crossing",
    "DespatchError",
    "Difference",
    "Distribution",
    "DryRun",
    "DynamicContainer",
    "DynamicEnvironment",
    "DynamicFilterStore",
    "DynamicPreemptiveResource",
    "DynamicPriorityResource",
    "DynamicPriorityStore",
    "DynamicResource",
    "DynamicStore",
    "Empirical",
    "Estimate",
    "Event",
    "Exponential",
    "Figure",
    "Forecast",
    "Gamma",
    "History",
    "HistoryError",
    "InvalidUpdateError",
    "JournalError",
    "JournalFullError",
    "LagError",
    "LineStatistics",
    "LogNormal",
    "Normal",
    "Outcome",
    "Outlook",
    "PluginError",
    "Problem",
    "Record",
    "Refusal",
    "Registry",
    "RegistryError",
    "ReplayReport",
    "Replication",
    "ReplicationError",
    "Replications",
    "Report",
    "Restored",
    "Run",
    "RunError",
    "Scenario",
    "Scheduled",
    "Score",
    "ScoredForecast",
    "Settings",
    "SettingsError",
    "Share",
    "ShrinkPolicy",
    "Signal",
    "SimParameter",
    "Snapshot",
    "StateError",
    "StockStatistics",
    "Telemetry",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
    "UnknownPathError",
    "Update",
    "UseStatistics",
    "ValueType",
    "Watch",
    "Weibull",
    "Work",
    "WrongThreadError",
    "__version__",
    "backtest",
    "forecast",
    "replay",
    "replicate",
]

_NAMES: Final = {
    "despatch.__about__": ("__version__",),
    "despatch.backtesting.backtest": ("backtest",),
    "despatch.backtesting.history": ("History",),
    "despatch.backtesting.result": ("Backtest", "Score", "ScoredForecast"),
    "despatch.backtesting.scores": ("Coverage",),
    "despatch.branching.handles": ("Branch", "Branches"),
    "despatch.branching.plan": ("BranchResult",),
    "despatch.commands": (
        "Change",
        "Command",
        "DryRun",
        "Outcome",
        "Refusal",
        "Scheduled",
        "Update",
    ),
    "despatch.distributions": (
        "Constant",
        "Distribution",
        "Empirical",
        "Exponential",
        "Gamma",
        "LogNormal",
        "Normal",
        "Triangular",
        "TruncatedNormal",
        "Uniform",
        "Weibull",
    ),
    "despatch.environment": ("DynamicEnvironment",),
    "despatch.errors": (
        "AccountError",
        "BranchError",
        "DespatchError",
        "HistoryError",
        "InvalidUpdateError",
        "JournalError",
        "JournalFullError",
        "LagError",
        "PluginError",
        "Problem",
        "RegistryError",
        "ReplicationError",
        "RunError",
        "SettingsError",
        "StateError",
        "UnknownPathError",
        "WrongThreadError",
    ),
    "despatch.forecasting.figures": ("Figure",),
    "despatch.forecasting.forecast": ("Forecast", "Scenario"),
    "despatch.forecasting.forecasting": ("forecast",),
    "despatch.forecasting.outlook": ("Band", "Comparison", "Crossing", "Outlook", "Share"),
    "despatch.parameters": ("SimParameter",),
    "despatch.records": ("Event", "Record", "Telemetry"),
    "despatch.registry": ("Registry",),
    "despatch.registry.signals": ("Signal",),
    "despatch.registry.watches": ("Watch",),
    "despatch.replaying.replay": ("ReplayReport", "replay"),
    "despatch.replaying.differences": ("Difference",),
    "despatch.replications.estimates": ("Estimate",),
    "despatch.replications.replicate": ("Replications", "replicate"),
    "despatch.replications.replication": ("Replication",),
    "despatch.report": ("Report",),
    "despatch.resources": (
        "CapacityLost",
        "DynamicContainer",
        "DynamicFilterStore",
        "DynamicPreemptiveResource",
        "DynamicPriorityResource",
        "DynamicPriorityStore",
        "DynamicResource",
        "DynamicStore",
        "LineStatistics",
        "ShrinkPolicy",
        "StockStatistics",
        "UseStatistics",
    ),
    "despatch.restoring.restored": ("Restored",),
    "despatch.restoring.work": ("Work",),
    "despatch.run": ("Run",),
    "despatch.settings": ("Settings",),
    "despatch.snapshots": ("Snapshot",),
    "despatch.value_types": ("ValueType",),
}
"""The public names, by the module that defines them."""

_HOMES: Final = {name: module for module, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker would take a name that is not there for one that is

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'despatch' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
