"""Late progress: how the delivery of a past run fares, shown while it lasts."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Literal, Self

from despatch.courier.ledger import Ledger
from despatch.courier.progress import ProgressView
from despatch.runs import RunFolder

__all__ = ["LateView"]


class LateView(ProgressView):
    """Shows how much of what a past run owed is settled, and the states of the sinks.

    Args:
        folder: The run's folder.
        sinks: The names of the sinks that are delivered to.
        owed: How many records they are owed at the beginning.
        live: As for `ProgressView`.
    """

    def __init__(self, folder: RunFolder, sinks: Collection[str], owed: int, *, live: bool) -> None:
        super().__init__(folder.info.name, live=live)
        self._path = folder.ledger
        self._sinks = sinks
        self._owed = owed
        self._before = 0
        self._before = self._given()

    @classmethod
    def of_run(
        cls,
        mode: Literal["live", "plain", "none"],
        folder: RunFolder,
        sinks: Collection[str],
        owed: int,
    ) -> Self | None:
        """The view that a mode asks for."""
        return None if mode == "none" else cls(folder, sinks, owed, live=mode == "live")

    def _line(self) -> str:
        # The ledger has counted what the sinks have passed; the drawing thread looks for itself.
        settled = self._given() - self._before
        parts = [f"{self._title}: {settled:,} of {self._owed:,} records that were owed"]
        if self._states is not None:
            parts += self._states.troubles()
        return " · ".join(parts)

    def _given(self) -> int:
        if not self._path.exists():
            return 0
        try:
            ledger = Ledger(self._path)
            try:
                return sum(ledger.cursor(name).given for name in self._sinks)
            finally:
                ledger.close()
        except sqlite3.Error:
            return self._before  # busy or broken: who delivers will say so
