"""Hooks: for those who watch a run, such as a pager, a trace, or a page that shows it.

A hook plugin is an entry point in the group ``despatch.hooks`` of an installed distribution: a
module, or an object, with some of the functions of `HookSpecs`, marked as pluggy has it. An
implementation names those arguments that it needs.

    from despatch.hooks import hookimpl

    @hookimpl
    def despatch_run_finished(report):
        print(report.name, "owes", report.owed)

Hooks are not on the path of a record, and no clock waits for one. `despatch_run_started` and
`despatch_run_finished` are called in the simulator's process, before the clock starts and after
the report is made. All others are called in the courier's process, on its loop: one that is slow
delays deliveries. The two processes share no memory. A hook that raises is logged, with its
plugin's name, and hurts nothing else.

Source: pluggy, https://pluggy.readthedocs.io
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

import pluggy

from despatch.commands import Change, Refusal
from despatch.deliveries import DeliveredBatch
from despatch.link import SinkState

if TYPE_CHECKING:
    from despatch.report import Report
    from despatch.runs import RunInfo

__all__ = [
    "PROJECT",
    "DeliveredBatch",
    "HookSpecs",
    "fault_of",
    "hookimpl",
    "hooks_of",
    "new_manager",
]

PROJECT: Final = "despatch"

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks an implementation of a hook."""

_hookspec = pluggy.HookspecMarker(PROJECT)


class HookSpecs:
    """The hooks. What they return is not looked at."""

    @_hookspec
    def despatch_run_started(self, run: RunInfo) -> None:
        """The model is built and the sources are asked; the clock starts next. In the simulator.

        Args:
            run: What the run is.
        """

    @_hookspec
    def despatch_command_applied(self, change: Change, run: RunInfo) -> None:
        """The registry has applied a command, or an update of the model's own. In the courier.

        It is called soon after, from the audit journal. What was applied while a courier had died
        and another one was being started is in that journal alone.

        Args:
            change: The change.
            run: What the run is.
        """

    @_hookspec
    def despatch_command_refused(self, refusal: Refusal, run: RunInfo) -> None:
        """The registry has refused a command. In the courier, as `despatch_command_applied`.

        Args:
            refusal: The refusal.
            run: What the run is.
        """

    @_hookspec
    def despatch_batch_delivered(self, batch: DeliveredBatch, run: RunInfo) -> None:
        """A sink has accounted for a batch, and its cursor has moved. In the courier.

        Args:
            batch: What became of the batch.
            run: What the run is.
        """

    @_hookspec
    def despatch_sink_state_changed(self, state: SinkState, run: RunInfo) -> None:
        """A sink fares differently than before. In the courier.

        Args:
            state: How it fares now.
            run: What the run is.
        """

    @_hookspec
    def despatch_run_finished(self, report: Report, run: RunInfo) -> None:
        """The run has ended, or failed, and its account is made up. In the simulator.

        Args:
            report: What the run did, and what became of its records.
            run: What the run is.
        """


def new_manager() -> pluggy.PluginManager:
    """A manager that knows the hooks, and no plugin yet."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    return manager


def fault_of(plugin: object) -> str | None:
    """Why an object is no hook plugin; None where it is one."""
    if isinstance(plugin, type):
        return "is a class: expected a module, or an object of that class"
    manager = new_manager()
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        return f"does not fit: {' '.join(str(error).split())}"
    callers = manager.get_hookcallers(plugin)
    if not callers:
        names = ", ".join(name for name in vars(HookSpecs) if name.startswith(f"{PROJECT}_"))
        return f"implements no hook: expected one of {names}, marked with `hookimpl`"
    for caller in callers:
        for implementation in caller.get_hookimpls():
            if inspect.iscoroutinefunction(implementation.function):
                return f"has an async {caller.name}: expected a plain function"
    return None


def hooks_of(plugin: object) -> list[str]:
    """The hooks that a plugin implements, in the order of `HookSpecs`."""
    manager = new_manager()
    manager.register(plugin)
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    return [name for name in vars(HookSpecs) if name in implemented]
