"""States: how each source and sink fares, told to whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from despatch.link import IngressState, SinkState

__all__ = ["States"]

_log = logging.getLogger("despatch.courier")

_WORRYING = ("retrying", "stopped")

_S = TypeVar("_S", SinkState, IngressState)


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

    def troubles(self) -> list[str]:
        """Who is not served at the moment, in words."""
        sinks = [(sink.name, sink.state) for sink in self.sinks.values()]
        sources = [(source.name, source.state) for source in self.ingress.values()]
        return [
            f"{name} {state}"
            for name, state in [*sinks, *sources]
            if state in ("connecting", "retrying", "stopped")
        ]

    def _note(self, known: dict[str, _S], state: _S, what: str) -> None:
        last = known.get(state.name)
        if last == state:
            return
        known[state.name] = state
        if state.state in _WORRYING:
            _log.warning("%s %s: %s: %s", what, state.name, state.state, state.reason)
        elif last is not None and last.state in _WORRYING:
            _log.info("%s %s: %s again", what, state.name, state.state)
        self._tell(state)
