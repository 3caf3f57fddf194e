"""The delivery report: what a run published, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec
from rich.table import Table
from rich.text import Text

from despatch.account import SinkAccount
from despatch.commands import Change, DryRun, Outcome, Refusal, Scheduled
from despatch.renderings import counted, span, volume

__all__ = ["CommandCount", "Report"]


class CommandCount(msgspec.Struct, kw_only=True):
    """What became of the commands that reached the run."""

    applied: int = 0
    refused: int = 0
    scheduled: int = 0
    dry_runs: int = 0

    def count(self, outcome: Outcome) -> None:
        """Take note of one more."""
        match outcome:
            case Change():
                self.applied += 1
            case Refusal():
                self.refused += 1
            case Scheduled():
                self.scheduled += 1
            case DryRun():
                self.dry_runs += 1


class Report(msgspec.Struct, kw_only=True):
    """What a run did.

    Attributes:
        run_id: The run's id.
        name: The simulation's name.
        folder: The run's folder.
        state: `finished` or `failed`.
        error: Why it failed. What begins with ``internal:`` is a fault in despatch.
        stopped_by: What asked it to stop before its end, such as ``SIGTERM``.
        sim_time: Simulated time at the end, in simulated seconds.
        wall_s: How long it took, in wall seconds.
        max_lag_s: How late the simulation was at the most, in wall seconds; 0.0 at factor 0.
        published: How many records were published.
        unwritten: How many of them could not be written to the journal, on a full disk for
            instance, and are lost; all others are in the account of each sink.
        commands: What became of commands.
        courier_restarts: How often a courier died and was started again.
        held_s: How long a full journal held the simulation, in wall seconds (`when_full`).
        sinks: What became of the records, sink by sink; empty where the accounts cannot be read.
    """

    run_id: str
    name: str
    folder: str
    state: Literal["finished", "failed"]
    error: str | None = None
    stopped_by: str | None = None
    sim_time: float
    wall_s: float
    max_lag_s: float = 0.0
    published: int
    unwritten: int = 0
    commands: CommandCount
    courier_restarts: int = 0
    held_s: float = 0.0
    sinks: list[SinkAccount]

    @property
    def owed(self) -> int:
        """Records that are still owed, over all sinks."""
        return sum(sink.owed for sink in self.sinks)

    @property
    def is_delivered(self) -> bool:
        """Whether every sink has every record that it was to get, and none was lost before."""
        return not self.unwritten and all(sink.is_settled for sink in self.sinks)

    @property
    def exit_status(self) -> int:
        """0: all done and delivered. 1: the run failed. 3: something was not delivered."""
        if self.state == "failed":
            return 1
        return 0 if self.is_delivered else 3

    def to_json(self) -> bytes:
        """The report as a JSON object, with what follows from it."""
        return msgspec.json.encode(
            {**msgspec.to_builtins(self), "owed": self.owed, "exit_status": self.exit_status}
        )

    def summary(self) -> Text:
        """The report in two or three lines, without the sinks."""
        text = Text()
        text.append(f"{self.name} {self.state}", style="bold")
        if self.stopped_by is not None:
            text.append(f", stopped by {self.stopped_by},")
        text.append(f" at {self.sim_time:,.3f} s simulated after {self.wall_s:.1f} s: ")
        text.append(f"{counted(self.published, 'record')} published, ")
        text.append(f"{counted(self.commands.applied, 'command')} applied, ")
        text.append(f"{self.commands.refused:,} refused.")
        if self.courier_restarts:
            times = counted(self.courier_restarts, "time")
            text.append(f" The courier was started again {times}.")
        if self.held_s:
            text.append(f" A full journal held the simulation for {self.held_s:.1f} s.")
        if self.error is not None:
            text.append(f"\n{self.error}", style="red")
        if self.unwritten:
            text.append(
                f"\n{counted(self.unwritten, 'record')} lost: the journal could not be written.",
                style="red",
            )
        if self.owed:
            text.append(
                f"\n{counted(self.owed, 'record')} owed. Deliver with: "
                f"despatch runs deliver {self.folder}",
                style="yellow",
            )
        dead = sum(sink.dead_lettered for sink in self.sinks)
        if dead:
            text.append(
                f"\n{counted(dead, 'record')} in the dead letters. See: "
                f"despatch dead-letters list {self.folder}",
                style="yellow",
            )
        for sink in self.sinks:
            for line in sink.remarks:
                text.append(f"\n{line}", style="yellow")
        return text

    def table(self) -> Table:
        """The sinks, a row each."""
        # What hardly ever happens has a column only where it did.
        columns = [
            name
            for name in _COLUMNS
            if name not in _UNUSUAL or any(getattr(sink, _UNUSUAL[name]) for sink in self.sinks)
        ]
        table = Table("sink", title_justify="left", box=None, pad_edge=False)
        for name in columns:
            table.add_column(name, justify="right")
        for sink in self.sinks:
            table.add_row(sink.sink, *(_COLUMNS[name](sink) for name in columns))
        return table


_COLUMNS: Final[Mapping[str, Callable[[SinkAccount], str]]] = {
    "given": lambda sink: f"{sink.given:,}",
    "delivered": lambda sink: f"{sink.delivered:,}",
    "dead-lettered": lambda sink: f"{sink.dead_lettered:,}",
    "dropped": lambda sink: f"{sink.dropped:,}",
    "owed": lambda sink: f"{sink.owed:,}",
    "behind": lambda sink: span(sink.behind_s) if sink.owed else "",
    "retries": lambda sink: f"{sink.retries:,}",
    # So many at the most: nobody knows what a sink has of an attempt that failed.
    "duplicates": lambda sink: (
        ("≤ " if sink.duplicates_possible else "") + f"{sink.duplicates_possible:,}"
    ),
    "sent": lambda sink: volume(sink.bytes),
    "damaged": lambda sink: f"{sink.damaged:,}",
    "removed": lambda sink: f"{sink.removed:,}",
}
_UNUSUAL: Final = {
    "dropped": "dropped",
    "behind": "owed",
    "retries": "retries",
    "duplicates": "duplicates_possible",
    "damaged": "damaged",
    "removed": "removed",
}
"""Which figure gives a column its reason."""
