"""The delivery report: what a run published, and what became of it."""

from __future__ import annotations

from typing import Literal

import msgspec
from rich.table import Table
from rich.text import Text

from despatch.account import SinkAccount
from despatch.renderings import counted

__all__ = ["CommandCount", "Report"]


class CommandCount(msgspec.Struct, kw_only=True):
    """What became of the commands that reached the run."""

    applied: int = 0
    refused: int = 0
    scheduled: int = 0
    dry_runs: int = 0


class Report(msgspec.Struct, kw_only=True):
    """What a run did.

    Attributes:
        run_id: The run's id.
        name: The simulation's name.
        folder: The run's folder.
        state: `finished` or `failed`.
        error: Why it failed.
        stopped_by: What asked it to stop before its end, such as ``SIGTERM``.
        sim_time: Simulated time at the end, in simulated seconds.
        wall_s: How long it took, in wall seconds.
        max_lag_s: How late the simulation was at the most, in wall seconds; 0.0 at factor 0.
        published: How many records were published.
        commands: What became of commands.
        courier_restarts: How often a courier died and was started again.
        held_s: How long a full journal held the simulation, in wall seconds (`when_full`).
        sinks: What became of the records, sink by sink.
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
        """Whether every sink has every record that it was to get."""
        return not any(s.owed or s.dead_lettered or s.dropped or s.damaged for s in self.sinks)

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
        if self.owed:
            text.append(
                f"\n{counted(self.owed, 'record')} owed. Deliver with: "
                f"despatch runs deliver {self.folder}",
                style="yellow",
            )
        return text

    def table(self) -> Table:
        """The sinks, a row each."""
        columns = ["given", "delivered", "dead-lettered", "owed", "retries", "repeats", "bytes"]
        table = Table("sink", title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right")
        # What hardly ever happens has a column only where it did.
        unusual = [
            name for name in ("dropped", "damaged") if any(getattr(s, name) for s in self.sinks)
        ]
        for name in unusual:
            table.add_column(name, justify="right")
        for sink in self.sinks:
            row = [
                sink.given,
                sink.delivered,
                sink.dead_lettered,
                sink.owed,
                sink.retries,
                sink.repeats,
                sink.bytes,
            ]
            row += [getattr(sink, name) for name in unusual]
            table.add_row(sink.sink, *(f"{figure:,}" for figure in row))
        return table
