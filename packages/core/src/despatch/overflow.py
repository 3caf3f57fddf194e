"""Overflow: what becomes of what is published while the journal has no room for it.

The journal is full when its slowest sink has more than `journal.max_bytes` yet to take, or when
the disk has no room. Then `journal.when_full` decides: ``block`` holds the simulation until there
is room; ``drop_oldest`` has the courier give up what is oldest, and goes on at once; ``fail`` ends
the run. A run that was asked to stop is not held: what it has published is written all the same.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ByteSize

from despatch.environment import DynamicEnvironment
from despatch.errors import JournalFullError
from despatch.journal.arrears import Arrears
from despatch.journal.format import MAX_ENTRY_BYTES
from despatch.journal.reserve import Reserve
from despatch.link import MakeRoom, SinkState
from despatch.settings import JournalSettings, WhenFull
from despatch.supervision import Supervision

__all__ = ["Overflow"]

_log = logging.getLogger("despatch")

LOOK_S: Final = 1.0
"""How long a held simulation sleeps at the most before it looks again, in wall seconds."""
RETRY_S: Final = 0.1
"""The same where it waits for a disk, which rings no bell."""
ASK_AGAIN_S: Final = 1.0
"""How long the courier may take to make room before it is asked again, in wall seconds."""
UNANSWERED_S: Final = 5.0
"""How long it may take before that is worth a warning, in wall seconds."""
QUIET_S: Final = 10.0
"""How long nothing more is said of what happens again and again, in wall seconds."""

_EMPTIED: Final = 3 / 4
"""A full journal empties so far, as a part of `max_bytes`: each frame is not held up anew."""


class Overflow:
    """Decides what becomes of a frame for which there is no room.

    The writers of the journals call `before_write`, `after_write` and `on_full`.

    Args:
        env: The environment, whose factor counts at the moment when the journal is full.
        settings: The journal's.
        folder: The run's folder, on the journals' disk.
        courier: Who makes room.
        look: Takes in what the courier has said, applying no command, and sees to the courier.
        sinks: How the sinks fare, by name.
        has_sinks: Whether there are any: without, nothing is ever behind.

    Attributes:
        held_s: How long the simulation was held, in wall seconds.
    """

    def __init__(
        self,
        env: DynamicEnvironment,
        settings: JournalSettings,
        folder: Path,
        courier: Supervision,
        look: Callable[[], object],
        sinks: Mapping[str, SinkState],
        *,
        has_sinks: bool,
    ) -> None:
        self.held_s = 0.0
        self._env = env
        self._max_bytes = int(settings.max_bytes)
        self._when_full = settings.when_full
        self._courier = courier
        self._look = look
        self._sinks = sinks
        self._has_sinks = has_sinks
        self._arrears = Arrears()
        self._reserve: Reserve | None = Reserve(folder)
        self._is_lifted = False
        self._lets_go = False
        self._is_held = False
        self._asked_for: int | None = None
        self._asked_at = -math.inf
        self._unanswered_since = -math.inf
        self._said_at: dict[str, float] = {}
        self._said_of_hold: frozenset[str] | None = None

    def passed(self, position: int) -> None:
        """Every sink has accounted for what comes before this position."""
        self._arrears.passed(position)
        if self._asked_for is not None and position >= self._asked_for:
            self._asked_for = None

    def lift(self) -> None:
        """The run is over: from now on nothing is held up, and a full disk is an error."""
        self._is_lifted = True

    @contextmanager
    def letting_go(self) -> Iterator[None]:
        """Hold nothing up meanwhile: an error is on its way out."""
        self._lets_go = True
        try:
            yield
        finally:
            self._lets_go = False

    def open_reserve(self) -> None:
        """Let the journal have what was kept for the courier: else it would be lost."""
        self._reserve = None

    def before_write(self, size: int) -> None:
        """Return when a frame of so many bytes may be written to the journal of records.

        Raises:
            JournalFullError: The journal is full, and ``fail`` is the policy; or the disk is.
        """
        if self._is_over(size):
            self._look()
        while self._is_over(size) and not self._is_ending:
            why = (
                f"the journal is full: {_shown(self._arrears.bytes)} are not delivered, and "
                f"journal.max_bytes is {_shown(self._max_bytes)}"
            )
            policy = self._policy
            if policy == "fail":
                raise JournalFullError(f"{why} (journal.when_full: fail)")
            if policy == "drop_oldest":
                self._ask_for_room(int(self._max_bytes * _EMPTIED), why)
                break
            self._hold(why, LOOK_S)
        if self._reserve is not None:
            self._reserve.spend(size)

    def after_write(self, end: int, size: int) -> None:
        """A frame of so many bytes was written to the journal of records, up to `end`."""
        if self._has_sinks:
            self._arrears.wrote(end, size)
        self.went_on()

    def went_on(self) -> None:
        """What could not be written is written."""
        if not self._is_held:
            return
        self._is_held = False
        if self._said_of_hold is not None:
            self._said_of_hold = None
            _log.info("the simulation goes on; it was held for %.1f s in all", self.held_s)
        # Commands that came meanwhile are still to be applied.
        self._env.doorbell.ring()

    def on_full(self, error: JournalFullError, size: int) -> bool:
        """What to do about a full disk.

        Args:
            error: What is full.
            size: How many bytes wait to be written.

        Returns:
            Whether to try again at once; if not, they stay in memory.

        Raises:
            JournalFullError: ``fail`` is the policy, the run is over, or it is about to end and
                memory is not to hold so much.
        """
        self._look()
        fits = size < MAX_ENTRY_BYTES
        policy = self._policy
        if self._is_lifted or policy == "fail" or (self._is_ending and not fits):
            raise error
        if self._is_ending:
            return False  # and is tried again when the run ends
        if policy == "drop_oldest":
            # Soon after room was made, the courier may not have removed the segments yet.
            if time.monotonic() >= self._asked_at + ASK_AGAIN_S:
                self._ask_for_room(int(self._arrears.bytes * _EMPTIED), str(error))
            if fits:
                self._say("memory", f"{error}; what is published is kept in memory meanwhile")
                return False
        self._hold(str(error), RETRY_S)
        return True

    @property
    def _policy(self) -> WhenFull:
        if self._when_full is not None:
            return self._when_full
        return "drop_oldest" if self._env.clock.factor else "block"

    @property
    def _is_ending(self) -> bool:
        return self._is_lifted or self._lets_go or self._env.stop_reason is not None

    def _is_over(self, size: int) -> bool:
        behind = self._arrears.bytes
        limit = self._max_bytes * (_EMPTIED if self._is_held else 1)
        # What is larger than the limit itself has its turn when nothing is behind.
        return behind > 0 and behind + size > limit

    def _hold(self, why: str, at_most_s: float) -> None:
        """Hold the simulation for a moment: until somebody rings, or so long at the most."""
        self._is_held = True
        stopped = frozenset(s.name for s in self._sinks.values() if s.state == "stopped")
        if stopped != self._said_of_hold and self._say(
            "hold", f"{why}; the simulation waits for {self._waited_for} (journal.when_full)"
        ):
            self._said_of_hold = stopped
        began = time.monotonic()
        wait_s = min(at_most_s, max(0.0, self._courier.restart_at - began))
        try:
            self._env.doorbell.wait(wait_s)
            self._env.doorbell.answer()
        finally:
            self.held_s += time.monotonic() - began
        self._look()

    @property
    def _waited_for(self) -> str:
        if not self._courier.is_there:
            return "a new courier"
        sinks = self._sinks.values()
        late = [f"{s.name}, {s.state}: {s.reason}" for s in sinks if s.state != "healthy"]
        return "; ".join(late) or ", ".join(s.name for s in sinks) or "the courier"

    def _ask_for_room(self, leave: int, why: str) -> None:
        """Have the courier give up what is oldest, but for so many bytes."""
        now = time.monotonic()
        if self._asked_for is not None and now < self._asked_at + ASK_AGAIN_S:
            return
        before = self._arrears.position_that_leaves(leave)
        if before is None:
            return
        if self._asked_for is None:
            self._unanswered_since = now
            self._say("room", f"{why}; the oldest records are given up (journal.when_full)")
        elif now >= self._unanswered_since + UNANSWERED_S:
            self._unanswered_since = math.inf
            _log.warning("%s; the courier makes no room, and the journal grows beyond that", why)
        self._asked_for, self._asked_at = before, now
        self._courier.offer(MakeRoom(before))

    def _say(self, what: str, text: str) -> bool:
        """Warn, unless it was just said; whether it was said now."""
        now = time.monotonic()
        if now < self._said_at.get(what, -math.inf) + QUIET_S:
            return False
        self._said_at[what] = now
        _log.warning("%s", text)
        return True


def _shown(size: int) -> str:
    return ByteSize(size).human_readable(separator=" ")
