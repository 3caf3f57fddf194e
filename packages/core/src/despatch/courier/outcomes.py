"""Outcomes: what became of commands, as the audit journal tells those who watch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from despatch.commands import Outcome
from despatch.journal import JournalReader

__all__ = ["Outcomes"]

_OUTCOME: Final = 3
"""Which field of an entry of the audit journal the outcome is; see `despatch.entries`."""


class Outcomes:
    """Reads the outcomes of a run from its audit journal, as they are written.

    Args:
        folder: The audit journal.
        position: Where to begin.
    """

    def __init__(self, folder: Path, position: int) -> None:
        self._reader = JournalReader(folder, position)

    def new(self) -> Iterator[Outcome]:
        """What has come since the last time.

        Raises:
            JournalError: The journal cannot be read.
        """
        while (frame := self._reader.read()) is not None:
            for entry in frame.entries:
                fields: Any = entry[_OUTCOME]
                if fields is not None:
                    yield msgspec.convert(fields, Outcome)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
