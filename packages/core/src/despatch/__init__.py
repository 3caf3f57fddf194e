"""despatch: a switchboard for live discrete-event simulation.

Data goes in and out of a running SimPy model: parameters change while it runs, records stream to
sinks, and the clock is never held up by I/O.
"""

from importlib.metadata import version

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
    DespatchError,
    InvalidUpdateError,
    JournalError,
    LagError,
    PluginError,
    Problem,
    RegistryError,
    RunError,
    SettingsError,
    UnknownPathError,
    WrongThreadError,
)
from despatch.parameters import SimParameter
from despatch.records import Event, Record, Telemetry
from despatch.registry import Registry
from despatch.registry.signals import Signal
from despatch.registry.watches import Watch
from despatch.replaying import ReplayReport, replay
from despatch.replaying.differences import Difference
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
from despatch.run import Run
from despatch.settings import Settings
from despatch.value_types import ValueType

__version__ = version("despatch")

__all__ = [
    "AccountError",
    "CapacityLost",
    "Change",
    "Command",
    "Constant",
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
    "Event",
    "Exponential",
    "Gamma",
    "InvalidUpdateError",
    "JournalError",
    "LagError",
    "LineStatistics",
    "LogNormal",
    "Normal",
    "Outcome",
    "PluginError",
    "Problem",
    "Record",
    "Refusal",
    "Registry",
    "RegistryError",
    "ReplayReport",
    "Report",
    "Run",
    "RunError",
    "Scheduled",
    "Settings",
    "SettingsError",
    "ShrinkPolicy",
    "Signal",
    "SimParameter",
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
    "WrongThreadError",
    "__version__",
    "replay",
]
