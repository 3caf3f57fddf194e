"""Hooks: for those who watch a run, such as a pager, a trace, or a page that shows it.

A hook plugin is an entry point in the group ``despatch.hooks`` of an installed distribution: a
module, or an object, with some of the functions of `HookSpecs`, marked as pluggy has it. An
implementation names those arguments that it needs.

    from despatch.hooks import hookimpl

    @hookimpl
    def despatch_run_finished(report):
        print(report.name, "owes", report.owed)

Hooks are not on the path of a record, and no clock waits for one. `SimulatorHooks` are called in
the simulator's process, `CourierHooks` in the courier's: the two share no memory. The docstring of
a hook is its page in the documentation.

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
    "HOOKS",
    "PROJECT",
    "CourierHooks",
    "DeliveredBatch",
    "HookSpecs",
    "SimulatorHooks",
    "fault_of",
    "hookimpl",
    "hooks_of",
    "new_manager",
]

PROJECT: Final = "despatch"

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks an implementation of a hook."""

_hookspec = pluggy.HookspecMarker(PROJECT)


class SimulatorHooks:
    """Hooks that are called in the simulator's process, on the thread that runs the model.

    The clock stands meanwhile: it has not started yet, or has stopped for good. What a hook takes,
    the run takes longer. One that raises is named in the log, with its distribution and version,
    and the run goes on or ends as it would have without it.
    """

    @_hookspec
    def despatch_run_started(self, run: RunInfo) -> None:
        """The model is built and the sources are asked; the clock starts next.

        It is called once in a run, and not at all where a run fails before: `despatch_run_finished`
        may be the only hook of a run.

        Args:
            run: What the run is.

        Example:
            import os

            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_run_started(run):
                print(f"{run.name} runs as process {os.getpid()}, its seed is {run.seed}")
        """

    @_hookspec
    def despatch_run_finished(self, report: Report, run: RunInfo) -> None:
        """The run has ended, or failed, and its account is made up.

        It is called once in a run, after the couriers have ended and the report is kept in the
        run's folder. It is not called where the simulator's process is killed.

        Args:
            report: What the run did, and what became of its records.
            run: What the run is.

        Example:
            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_run_finished(report):
                print(f"{report.name} {report.state}, {report.owed} records are owed")
        """


class CourierHooks:
    """Hooks that are called in the courier's process, on the thread of its loop.

    With `courier: {host: thread}` that is a thread of the simulator's process, and for
    `despatch runs deliver` it is that command's process. The loop serves every sink and source:
    while a hook works no batch is delivered, and one that takes long is named in the log as
    blocking the loop. The clock never waits for it. One that raises is named in the log, with its
    distribution and version, once for each kind of exception; the delivery goes on, and the hook
    is called again the next time.
    """

    @_hookspec
    def despatch_command_applied(self, change: Change, run: RunInfo) -> None:
        """The registry has applied a command, or an update of the model's own.

        It is called soon after, from the audit journal. What was applied while a courier had died
        and another one was being started is in that journal alone.

        Args:
            change: The change.
            run: What the run is.

        Example:
            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_command_applied(change):
                for update in change.updates:
                    print(f"{change.source}: {update.path} is {update.new}")
        """

    @_hookspec
    def despatch_command_refused(self, refusal: Refusal, run: RunInfo) -> None:
        """The registry has refused a command.

        It is called soon after, from the audit journal, as `despatch_command_applied` is.

        Args:
            refusal: The refusal.
            run: What the run is.

        Example:
            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_command_refused(refusal):
                print(f"{refusal.source} asked in vain: {refusal.reason}")
        """

    @_hookspec
    def despatch_batch_delivered(self, batch: DeliveredBatch, run: RunInfo) -> None:
        """A sink has accounted for a batch, and its cursor has moved.

        It is called for every batch with a record that the sink was to get. A courier that dies
        between the two calls it no more: who counts records reads the report.

        Args:
            batch: What became of the batch.
            run: What the run is.

        Example:
            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_batch_delivered(batch):
                if batch.dead_lettered:
                    print(f"{batch.sink} would not take {batch.dead_lettered} of its records")
        """

    @_hookspec
    def despatch_sink_state_changed(self, state: SinkState, run: RunInfo) -> None:
        """A sink fares differently than before.

        It is called when the state or its reason changes, and not for each attempt in between.

        Args:
            state: How it fares now.
            run: What the run is.

        Example:
            from despatch.hooks import hookimpl


            @hookimpl
            def despatch_sink_state_changed(state, run):
                if state.state == "retrying":
                    print(f"{run.name}: {state.name} is away: {state.reason}")
        """


class HookSpecs(SimulatorHooks, CourierHooks):
    """All hooks. What they return is not looked at."""


HOOKS: Final = tuple(
    name
    for specs in (SimulatorHooks, CourierHooks)
    for name in vars(specs)
    if name.startswith(f"{PROJECT}_")
)
"""The names of the hooks."""


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
        return f"implements no hook: expected one of {', '.join(HOOKS)}, marked with `hookimpl`"
    for caller in callers:
        for implementation in caller.get_hookimpls():
            if inspect.iscoroutinefunction(implementation.function):
                return f"has an async {caller.name}: expected a plain function"
    return None


def hooks_of(plugin: object) -> list[str]:
    """The hooks that a plugin implements, in the order of `HOOKS`."""
    manager = new_manager()
    manager.register(plugin)
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    return [name for name in HOOKS if name in implemented]
