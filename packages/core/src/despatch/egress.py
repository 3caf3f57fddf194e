"""Publishing: the simulation's side of egress.

A record is encoded straight into the journal's buffer. That is the snapshot: what the model does
to the value afterwards changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec.structs import replace

from despatch.entries import (
    EVENT,
    TELEMETRY,
    UNENCODABLE_EVENT,
    UNENCODABLE_TELEMETRY,
    UNENCODABLE_WALL_TELEMETRY,
    WALL_TELEMETRY,
)
from despatch.errors import WrongThreadError
from despatch.journal import JournalWriter
from despatch.value_types import value_type_of
from despatch.values import (
    OPTIONS,
    Hook,
    PlainFields,
    UnencodableError,
    default,
    packb,
    plain_fields_of,
)

if TYPE_CHECKING:
    from despatch.value_types import ValueType

__all__ = ["EgressMixIn", "RecordJournal"]

_PLAIN = (dict, str, int, float, bool, type(None), list, tuple)

_WRONG_THREAD: Final = (
    "publish from the simulation's own thread; from others, go through "
    "env.call_soon_threadsafe(env.publish_event, key, value)"
)
_UNENCODABLE: Final = {
    EVENT: UNENCODABLE_EVENT,
    TELEMETRY: UNENCODABLE_TELEMETRY,
    WALL_TELEMETRY: UNENCODABLE_WALL_TELEMETRY,
}


class RecordJournal(Protocol):
    """Where records go: a run's journal, or a replay's comparison with one."""

    def append(self, entry: list[Any], hook: Hook = default) -> int:
        """Take an entry as it is now; its position, counted from 0.

        Raises:
            UnencodableError: Something in it cannot be packed with the hook.
        """

    def add_type(self, value_type: ValueType) -> int:
        """Number a type, counted from 1."""


class EgressMixIn:
    """Gives an environment `publish_event` and `publish_telemetry`.

    Without a journal (an environment of its own, outside a run) there is no sink, and what is
    published goes nowhere.
    """

    _now: Any
    _journal: RecordJournal | None = None
    _writer: JournalWriter | None = None
    _known_types: dict[type, tuple[int, PlainFields | None]]
    _type_names: dict[str, int]
    _thread_id: int

    def publish_event(self, key: str, value: Any) -> None:
        """Publish that something happened to `key`, at the present simulated time.

        Args:
            key: What it happened to, such as a part or a case.
            value: A dict, a pydantic model, a dataclass or a scalar, nested as you like. It is
                taken as it is now. One that cannot be encoded goes to the dead letters, alone.

        Raises:
            TypeError: `key` is not a string.
            WrongThreadError: Called from another thread than the simulation's own.
            JournalFullError: The journal or its disk is full, and `journal.when_full` is ``fail``.
            JournalError: The journal cannot be written for another reason.
        """
        writer = self._writer
        if writer is None or type(value) is not dict or type(key) is not str:
            self._publish(EVENT, key, value)
        elif get_ident() != self._thread_id:
            raise WrongThreadError(_WRONG_THREAD)
        else:
            # The usual record, and `JournalWriter.append` in line: a call saved is a tenth saved.
            try:
                packed = packb([EVENT, self._now, key, 0, value], default, OPTIONS)
            except TypeError:
                self._publish(EVENT, key, value)  # it finds out why
                return
            buffer = writer._buffer
            buffer += packed
            writer.end += 1
            if len(buffer) >= writer._full_at:
                try:
                    writer._make_room(len(packed))
                except UnencodableError:  # too long
                    self._publish(EVENT, key, value)

    def publish_telemetry(self, path_id: str, value: Any) -> None:
        """Publish a figure at the present simulated time.

        Args:
            path_id: The figure's dotted path, such as ``Line_A.lathe.utilization``.
            value: As for `publish_event`; mostly a number.

        Raises:
            TypeError: `path_id` is not a string.
            WrongThreadError: Called from another thread than the simulation's own.
            JournalFullError: The journal or its disk is full, and `journal.when_full` is ``fail``.
            JournalError: The journal cannot be written for another reason.
        """
        self._publish(TELEMETRY, path_id, value)

    def publish_wall_telemetry(self, path_id: str, value: Any) -> None:
        """Publish a figure that depends on wall time, such as how late the clock is.

        For sinks it is telemetry like any other. A replay leaves it out of the comparison, since
        no wall clock can be repeated: neither its value nor when or how often it is published
        needs to be the same again.

        Args:
            path_id: The figure's dotted path, such as ``clock.lag_s``.
            value: As for `publish_event`; mostly a number.

        Raises:
            TypeError: `path_id` is not a string.
            WrongThreadError: Called from another thread than the simulation's own.
            JournalFullError: The journal or its disk is full, and `journal.when_full` is ``fail``.
            JournalError: The journal cannot be written for another reason.
        """
        self._publish(WALL_TELEMETRY, path_id, value)

    def _record_into(self, journal: RecordJournal | None) -> None:
        self._journal = journal
        self._writer = journal if type(journal) is JournalWriter else None
        self._known_types = dict.fromkeys(_PLAIN, (0, None))
        self._type_names = {}
        self._thread_id = get_ident()

    def _record_on(self, journal: Callable[[Iterable[str]], RecordJournal]) -> None:
        """Record into another journal from here on, which begins with the types that are numbered.

        Args:
            journal: Makes it, given the names of those types in their order.
        """
        if self._journal is None:
            self._record_into(None)
        self._journal, self._writer = journal(self._type_names), None

    def _publish(self, kind: int, name: str, value: Any) -> None:
        journal = self._journal
        if type(name) is not str:
            raise TypeError(f"the name of a record is a string, such as 'part-17', not {name!r}")
        if journal is None:
            return
        if get_ident() != self._thread_id:
            raise WrongThreadError(_WRONG_THREAD)
        cls = type(value)
        type_id, plain = self._known_types.get(cls) or self._learn(cls, journal)
        if plain is not None and [*(fields := value.__dict__)] == plain.names:
            try:
                journal.append([kind, self._now, name, type_id, fields], plain.hook)
            except UnencodableError:
                pass  # it holds something that makes it not so plain, or that cannot be encoded
            else:
                return
        try:
            journal.append([kind, self._now, name, type_id, value])
        except UnencodableError as error:
            kind = _UNENCODABLE[kind]
            # The trouble may be the name itself, or a clock that counts in fractions.
            printable = name.encode(errors="backslashreplace").decode()
            journal.append([kind, float(self._now), printable, type_id, str(error)])

    def _learn(self, cls: type, journal: RecordJournal) -> tuple[int, PlainFields | None]:
        value_type = value_type_of(cls)
        type_id = 0
        if value_type is not None:
            if value_type.name in self._type_names:
                value_type = replace(value_type, name=f"{cls.__module__}.{cls.__qualname__}")
            type_id = journal.add_type(value_type)
            self._type_names[value_type.name] = type_id
        known = self._known_types[cls] = type_id, plain_fields_of(cls)
        return known
