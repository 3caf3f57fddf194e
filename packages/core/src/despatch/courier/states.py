"""States: how each source and sink fares, told to whoever wants to know."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from despatch.link import IngressState, SinkState

__all__ = ["States"]

_log = logging.getLogger("despatch.courier")

_WORRYING = ("retrying", "stopped")
_WELL = ("healthy", "caught up", "ended")

_S = TypeVar("_S", SinkState, IngressState)


class States:
    """Keeps the last state of each connector, logs changes, and tells the simulator.

    Args:
        tell: Called with each change.
        on_sink: Called with each change of a sink's, after that.
        conceal: Takes secrets out of what a plugin says.
    """

    def __init__(
        self,
        tell: Callable[[SinkState | IngressState], None],
        on_sink: Callable[[SinkState], None] | None = None,
        conceal: Callable[[str], str] = str,
    ) -> None:
        self.conceal = conceal
        self._tell = tell
        self._on_sink = on_sink
        self.sinks: dict[str, SinkState] = {}
        self.ingress: dict[str, IngressState] = {}
        self._logged: dict[str, str] = {}

    def sink(self, state: SinkState) -> None:
        """A sink's state now."""
        if self._note(self.sinks, state, "sink") and self._on_sink is not None:
            self._on_sink(self.sinks[state.name])

    def source(self, state: IngressState) -> None:
        """An ingress's state now."""
        self._note(self.ingress, state, "ingress")

    def troubles(self) -> list[str]:
        """Who is not served at the moment and since when, in words, in local time."""
        known: list[SinkState | IngressState] = [*self.sinks.values(), *self.ingress.values()]
        return [
            f"{each.name} {each.state} since {_clock_time(each.since_ns)}"
            for each in known
            if each.state in ("connecting", "retrying", "stopped")
        ]

    def _note(self, known: dict[str, _S], state: _S, what: str) -> bool:
        """Take down a state; whether it is another one than before."""
        state = msgspec.structs.replace(state, reason=self.conceal(state.reason))
        last = known.get(state.name)
        goes_on = last is not None and last.state == state.state
        since_ns = last.since_ns if last is not None and goes_on else time.time_ns()
        state = msgspec.structs.replace(state, since_ns=since_ns)
        if last == state:
            return False
        known[state.name] = state
        self._log(state, what)
        self._tell(state)
        return True

    def _log(self, state: SinkState | IngressState, what: str) -> None:
        """Say what is wrong once, however often it is tried, and when it is well again."""
        who, about = f"{what} {state.name}", {what: state.name}
        if state.state in _WORRYING:
            trouble = f"{state.state}: {state.reason}"
            if self._logged.get(who) != trouble:
                self._logged[who] = trouble
                _log.warning("%s: %s", who, trouble, extra=about)
        elif state.state in _WELL and self._logged.pop(who, None) is not None:
            _log.info("%s: %s again", who, state.state, extra=about)


def _clock_time(since_ns: int) -> str:
    return datetime.fromtimestamp(since_ns / 1e9).strftime("%H:%M:%S")
