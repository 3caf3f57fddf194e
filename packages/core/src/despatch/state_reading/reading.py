"""The run's side of a reading: starts the other process, waits for it, and tells what it said."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from despatch.concealment import Concealer
from despatch.errors import PluginError, StateError
from despatch.plugins import Kind, Plugins
from despatch.renderings import counted
from despatch.settings import Settings, StateSettings
from despatch.settings.entries import REVEAL
from despatch.snapshots import Snapshot
from despatch.state_reading.messages import Answer, Request

__all__ = ["StateReading", "read_state"]

_log = logging.getLogger("despatch")

START_S: Final = 10.0
"""How long the other process may take to start and to end, in wall seconds, besides the timeout."""

_LONGEST_PRINT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class StateReading:
    """A state that was read.

    Attributes:
        snapshot: The state.
        origin: Who read it where, for messages.
    """

    snapshot: Snapshot
    origin: str

    @property
    def values(self) -> Mapping[str, Any]:
        """Path to value."""
        return self.snapshot.parameters

    def __str__(self) -> str:
        count = counted(len(self.values), "parameter")
        return f"{count} of {self.origin}, as of {self.snapshot.taken_at.isoformat()}"

    def refused(self, reason: str) -> StateError:
        """The error that says why the model does not take it."""
        taken_at = self.snapshot.taken_at.isoformat()
        return StateError(f"{self.origin}, as of {taken_at}, does not fit the model: {reason}")


def read_state(settings: Settings) -> StateReading | None:
    """Read the state of the real system, where the settings say how.

    What the source prints is logged.

    Args:
        settings: The settings, secrets included.

    Returns:
        What was read; None where the settings have no `state`.

    Raises:
        StateError: There is no state to be had: the source raised, blocked, took too long or
            died, or what it gave is no snapshot.
    """
    state = settings.state
    if state is None:
        return None
    plugins = Plugins(allowed=settings.plugins)
    called = plugins.find(Kind.STATES, state.source).identity
    conceal = _concealer(plugins, state)
    timeout_s = state.timeout.total_seconds()
    request = Request(
        simulation=settings.name,
        source=state.source,
        plugin_settings=state.plugin_part(state.model_dump(mode="json", context={REVEAL: True})),
        plugins=settings.plugins,
        timeout_s=timeout_s,
    )
    # -P: a file of the user's own folder must not shadow a plugin's client library.
    command = [sys.executable, "-P", "-m", "despatch.state_reading"]
    try:
        done = subprocess.run(
            command,
            input=request.model_dump_json().encode(),
            capture_output=True,
            timeout=timeout_s + START_S,
        )
    except subprocess.TimeoutExpired as late:
        _tell_printed(called, late.stderr, conceal)
        raise StateError(
            f"{called}: no answer within {timeout_s:g} s, nor any end after it was cancelled"
        ) from None
    _tell_printed(called, done.stderr, conceal)
    answer = _answer(done, called)
    if answer.snapshot is None:
        raise StateError(f"{called}: {conceal(answer.fault)}")
    origin = f"{called}, {conceal(answer.place)}" if answer.place else called
    return StateReading(answer.snapshot, origin)


def _concealer(plugins: Plugins, state: StateSettings) -> Concealer:
    conceal = Concealer()
    try:
        model = plugins.load(Kind.STATES, state.source).Settings
        conceal.learn(model.model_validate(state.plugin_settings))
    except (PluginError, ValidationError) as error:
        raise StateError(f"state: {error}") from None
    return conceal


def _tell_printed(called: str, printed: bytes | None, conceal: Concealer) -> None:
    text = (printed or b"")[-_LONGEST_PRINT:].decode(errors="replace")
    for line in conceal(text).splitlines():
        if line.strip():
            _log.info("%s printed: %s", called, line)


def _answer(done: subprocess.CompletedProcess[bytes], called: str) -> Answer:
    status = done.returncode
    if status < 0:
        raise StateError(f"{called}: its process was killed ({signal.Signals(-status).name})")
    try:
        return Answer.model_validate_json(done.stdout)
    except ValidationError:
        raise StateError(
            f"{called}: its process ended without an answer (exit status {status}); what it "
            "printed is in the log"
        ) from None
