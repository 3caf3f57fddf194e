"""How often and how long the suite hurts: a little in `make test`, the full counts in `make soak`.

``DESPATCH_SOAK=1`` asks for the full counts.
"""

from __future__ import annotations

import os
import time
from typing import TypeVar

import pytest

_T = TypeVar("_T")

NOTES = pytest.StashKey[list[str]]()
"""What the tests of a session say that they did."""


class Soak:
    """What a test does, in how many repetitions, and a place to say what it did.

    Attributes:
        is_full: Whether the full counts are asked for.
    """

    def __init__(self, notes: list[str]) -> None:
        self.is_full = os.environ.get("DESPATCH_SOAK") == "1"
        self._notes = notes
        self._began = time.monotonic()

    def count(self, few: _T, full: _T) -> _T:
        """The one in `make test`, the other in `make soak`."""
        return full if self.is_full else few

    def note(self, text: str) -> None:
        """Say what was done; shown at the end of the session, with how long it took."""
        self._notes.append(f"{text} ({time.monotonic() - self._began:.0f} s)")
