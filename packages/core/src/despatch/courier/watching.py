"""Watching: what a courier tells those who only watch, through hooks and as metrics.

None of it is on the path of a record: without a hook plugin and without `metrics` in the settings
nothing is done but a look at whether there are any.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from despatch.commands import Change, Refusal
from despatch.courier.backoff import describe
from despatch.courier.outcomes import Outcomes
from despatch.courier.states import States
from despatch.deliveries import DeliveredBatch
from despatch.errors import JournalError
from despatch.journal import end_position
from despatch.link import Progress, SinkState
from despatch.plugins import Plugins
from despatch.runs import RunFolder
from despatch.settings import Settings
from despatch.watchers import Watchers

if TYPE_CHECKING:
    from despatch.metrics import Endpoint

__all__ = ["Watching"]

_log = logging.getLogger("despatch.courier")


class Watching:
    """Tells the hooks and the metrics of one courier.

    Args:
        folder: The run's folder, before the courier has opened its ledger.
        settings: The run's settings.
        plugins: Where hooks are found.
        is_live: Whether the run goes on; else only what it left is delivered, and there are no
            metrics and no commands.
    """

    def __init__(
        self, folder: RunFolder, settings: Settings, plugins: Plugins, *, is_live: bool
    ) -> None:
        self._watchers = Watchers(plugins, folder.info)
        self._folder = folder
        self._settings = settings
        self._is_live = is_live
        self._outcomes: Outcomes | None = None
        self._endpoint: Endpoint | None = None
        of_commands = ("despatch_command_applied", "despatch_command_refused")
        if is_live and self._watchers.watches(*of_commands):
            # A courier that is started again does not tell it all a second time.
            is_first = not folder.ledger.exists()
            self._outcomes = Outcomes(folder.audit, 0 if is_first else end_position(folder.audit))

    def open(self, states: States) -> None:
        """Begin to serve metrics, once the ledger is open."""
        metrics = self._settings.metrics
        if self._is_live and metrics is not None:
            # The library is imported for those who ask for it.
            from despatch.metrics import Endpoint

            self._endpoint = Endpoint(metrics, self._folder, self._settings, states)

    def show(self, progress: Progress) -> None:
        """The simulation stands here."""
        if self._endpoint is not None:
            self._endpoint.show(progress)

    def notice(self) -> None:
        """There may be more outcomes of commands."""
        if self._outcomes is None:
            return
        try:
            for outcome in self._outcomes.new():
                if isinstance(outcome, Change):
                    self._watchers.call("despatch_command_applied", change=outcome)
                elif isinstance(outcome, Refusal):
                    self._watchers.call("despatch_command_refused", refusal=outcome)
        except JournalError as error:
            _log.error("hooks are told of no more commands: %s", describe(error))
            self._outcomes.close()
            self._outcomes = None

    def sink_changed(self, state: SinkState) -> None:
        """A sink fares differently than before."""
        self._watchers.call("despatch_sink_state_changed", state=state)

    def delivered(self, batch: DeliveredBatch) -> None:
        """A sink has accounted for a batch."""
        if self._endpoint is not None:
            self._endpoint.delivered(batch)
        self._watchers.call("despatch_batch_delivered", batch=batch)

    def close(self) -> None:
        """Serve no more."""
        if self._outcomes is not None:
            self._outcomes.close()
        if self._endpoint is not None:
            self._endpoint.close()
