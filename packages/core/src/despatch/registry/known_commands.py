"""Known commands: what became of those that had an id, so that none is applied twice."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import msgspec

from despatch.commands import Change, Command, Outcome
from despatch.renderings import plain

__all__ = ["Known", "KnownCommands"]

REMEMBERED_IDS: Final = 65_536
"""So many ids of commands are known for each source; the oldest are forgotten first."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """A command that has been settled, or waits for its time.

    Attributes:
        outcome: What became of it.
        command: The command; None where only the outcome was found in an audit journal.
    """

    outcome: Outcome
    command: Command | None

    def is_of(self, command: Command) -> bool:
        """Whether a command with this id may be the same one, come again.

        Of a change that was found in a journal only the paths are known, not what was asked for.
        """
        if self.command is not None:
            return _is_alike(_content(self.command), _content(command))
        asked = plain(command.updates)
        if isinstance(self.outcome, Change):
            return set(asked) <= {update.path for update in self.outcome.updates}
        return _is_alike(getattr(self.outcome, "updates", {}), asked)


class KnownCommands:
    """The latest ids of each source."""

    def __init__(self) -> None:
        self._sources: dict[str, OrderedDict[str, Known]] = {}

    def find(self, source: str, command_id: str) -> Known | None:
        """What is known of this id; None where it is free."""
        known = self._sources.get(source)
        return None if known is None else known.get(command_id)

    def note(self, source: str, command_id: str, known: Known) -> None:
        """Know this id from now on, with its latest outcome."""
        ids = self._sources.get(source)
        if ids is None:
            ids = self._sources[source] = OrderedDict()
        ids[command_id] = known
        if len(ids) > REMEMBERED_IDS:
            ids.popitem(last=False)


def _content(command: Command) -> tuple[Any, ...]:
    return plain(command.updates), plain(command.expect), plain(command.at)


def _is_alike(one: Any, other: Any) -> bool:
    # NaN is no number equal to itself, and yet the same command.
    return bool(one == other) or repr(one) == repr(other)
