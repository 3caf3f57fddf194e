"""States: how each source and sink fares, told to whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable

from despatch.link import IngressState, SinkState

__all__ = ["States"]

_log = logging.getLogger("despatch.courier")

_WORRYING = ("retrying", "stopped")


class States:
    """Keeps the last state of each connector, logs changes, and tells the simulator."""

    def __init__(self, tell: Callable[[SinkState | IngressState], None]) -> None:
        self._tell = tell
        self.sinks: dict[str, SinkState] = {}
        self.ingress: dict[str, IngressState] = {}

    def sink(self, state: SinkState) -> None:
        """A sink's state now."""
        self._note(self.sinks, state, "sink")

    def source(self, state: IngressState) -> None:
        """An ingress's state now."""
        self._note(self.ingress, state, "ingress")

    def _note(self, known: dict[str, object], state: SinkState | IngressState, what: str) -> None:
        last = known.get(state.name)
        if last == state:
            return
        known[state.name] = state
        if state.state in _WORRYING:
            _log.warning("%s %s: %s: %s", what, state.name, state.state, state.reason)
        elif last is not None and last.state in _WORRYING:
            _log.info("%s %s: %s again", what, state.name, state.state)
        self._tell(state)
