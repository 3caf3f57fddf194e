"""Progress: how a run fares, shown while it runs.

Rendered in a thread of the courier's, so that a paused terminal holds up neither the clock nor
the deliveries.
"""

from __future__ import annotations

import sys
import threading
from typing import Literal

from rich.console import Console
from rich.live import Live
from rich.text import Text

from despatch.courier.states import States
from despatch.link import Progress

__all__ = ["ProgressView"]

LIVE_INTERVAL_S = 0.2
PLAIN_INTERVAL_S = 5.0


class ProgressView:
    """Shows the latest progress and the states of the connectors on standard error.

    Args:
        title: The simulation's name.
        live: A line that is drawn again and again, for a terminal; else a new line now and then.
    """

    def __init__(self, title: str, *, live: bool) -> None:
        self._title = title
        self._live = live
        self._latest: Progress | None = None
        self._states: States | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="despatch-progress", daemon=True)

    @classmethod
    def of(cls, mode: Literal["live", "plain", "none"], title: str) -> ProgressView | None:
        """The view that a mode asks for."""
        return None if mode == "none" else cls(title, live=mode == "live")

    def open(self, states: States) -> None:
        """Begin to show."""
        self._states = states
        self._thread.start()

    def show(self, progress: Progress) -> None:
        """Take note of where the simulation stands; drawn by the thread."""
        self._latest = progress

    def close(self) -> None:
        """Show the last state and stop. A paused terminal is not waited for."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        console = Console(stderr=True)
        if not self._live:
            while not self._closing.wait(PLAIN_INTERVAL_S):
                print(self._line(), file=sys.stderr, flush=True)
            return
        with Live(self._text(), console=console, auto_refresh=False, transient=True) as live:
            while not self._closing.wait(LIVE_INTERVAL_S):
                live.update(self._text(), refresh=True)

    def _text(self) -> Text:
        return Text(self._line(), style="cyan", no_wrap=True, overflow="ellipsis")

    def _line(self) -> str:
        progress = self._latest
        if progress is None:
            return f"{self._title}: connecting"
        until = "" if progress.until is None else f" of {progress.until:,.0f}"
        parts = [
            f"{self._title}: {progress.sim_time:,.1f}{until} s simulated",
            f"{progress.published:,} records",
        ]
        if progress.lag_s >= 0.1:
            parts.append(f"{progress.lag_s:.1f} s late")
        if self._states is not None:
            parts += self._states.troubles()
        return " · ".join(parts)
