"""Commands and their outcomes: what the world asks of a running model, and what became of it.

Outcomes are msgspec structs of plain data: ``msgspec.json.encode(outcome)`` is an outcome in JSON,
whose ``type`` says which one it is (``change``, ``refusal``, ``scheduled``, ``dry_run``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from despatch.renderings import excerpt

__all__ = ["Change", "Command", "DryRun", "Outcome", "Refusal", "Scheduled", "Update"]

LARGEST_MESSAGE_BYTES: Final = 1024 * 1024
DEEPEST_MESSAGE: Final = 16

_KEYS: Final = ("updates", "path", "path_id", "value", "id", "at", "expect", "dry_run")


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="command"):
    """A set of updates that is applied as a whole, or refused as a whole.

    Attributes:
        updates: Path to new value.
        id: Names the command; one that comes again with the same id is applied once.
        at: Simulated time to apply it at, in simulated seconds; None is at once.
        expect: Path to the value that must be there for the command to be applied.
        dry_run: Whether only to say what would become of it; the outcome is a `DryRun`.
        source: The name of the ingress that brought it; the core fills it in.
        fault: Why this is no command at all; it is refused with this reason.
        handle: The connector's own, for `acknowledge`; it never leaves the courier.
    """

    updates: dict[str, Any] = {}
    id: str | None = None
    at: float | None = None
    expect: dict[str, Any] = {}
    dry_run: bool = False
    source: str = ""
    fault: str | None = None
    handle: Any = None

    @classmethod
    def parse(
        cls, message: bytes | str | Mapping[str, Any], *, id: str | None = None, handle: Any = None
    ) -> Command:
        """Read a command from a message. Whatever came, this raises nothing.

            >>> Command.parse('{"path": "Line_A.lathe.capacity", "value": 3}').updates
            {'Line_A.lathe.capacity': 3}
            >>> Command.parse("[1, 2]").fault
            'expected a command, an object in JSON, not [1, 2]'

        A message is an object with either ``updates``, a mapping of paths to values, or one
        ``path`` (dynamic-des says ``path_id``) and its ``value``; and optionally ``id``, ``at``,
        ``expect`` and ``dry_run``.

        Args:
            message: JSON of at most 1 MiB, or what was read from it.
            id: Names the command where the message does not.
            handle: The connector's own.

        Returns:
            The command; with its `fault` set, and nothing else of the message but the id, where
            the message is no command.
        """
        try:
            fields = _read(message)
            id = _id_of(fields) or id
            return cls(
                updates=_updates_of(fields),
                id=id,
                at=_at_of(fields),
                expect=_mapping_of(fields, "expect"),
                dry_run=_dry_run_of(fields),
                handle=handle,
            )
        except _FaultError as fault:
            return cls(id=id, fault=str(fault), handle=handle)


# Updates and changes are made by the million and kept by the thousand; what they hold is plain
# data and no cycle, which Python's garbage collector need not look for.


class Update(msgspec.Struct, frozen=True, gc=False):
    """One parameter's change.

    The values are plain data, as JSON has it: a distribution is the mapping that would set it, a
    member of an enum is its value, a tuple is a list.
    """

    path: str
    old: Any
    new: Any


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="change"):
    """A command that was applied.

    Attributes:
        updates: What was asked for, in the command's order, also where the value was there
            already; then what the model's own validators set beside it.
        sim_time: When, in simulated seconds.
        source: Who asked for it: an ingress's name, or ``"model"``.
        id: The command's id.
    """

    updates: tuple[Update, ...]
    sim_time: float
    source: str
    id: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """A command that was refused and had no effect.

    Attributes:
        reason: Why.
        sim_time: When, in simulated seconds.
        source: Who asked for it: an ingress's name, or ``"model"``.
        id: The command's id.
        updates: What was asked for, as plain data.
        is_final: Whether the id is used up by it. It is not where what came was no command at
            all, or used an id that is another command's.
    """

    reason: str
    sim_time: float
    source: str
    id: str | None = None
    updates: dict[str, Any] = {}
    is_final: bool = True


class Scheduled(msgspec.Struct, frozen=True, kw_only=True, tag="scheduled"):
    """A command that waits for its simulated time `at`; another outcome follows then.

    Attributes:
        at: When it will be carried out, in simulated seconds.
        sim_time: When it was scheduled, in simulated seconds.
        source: The name of the ingress that brought it.
        id: The command's id.
        updates: What it asks for, as plain data.
        expect: What it expects to find then, as plain data.
    """

    at: float
    sim_time: float
    source: str
    id: str | None = None
    updates: dict[str, Any] = {}
    expect: dict[str, Any] = {}

    @property
    def command(self) -> Command:
        """The command, to be scheduled again in another run."""
        return Command(
            updates=self.updates, id=self.id, at=self.at, expect=self.expect, source=self.source
        )


class DryRun(msgspec.Struct, frozen=True, kw_only=True, tag="dry_run"):
    """What would have become of a command that was tried only; nothing was changed.

    Attributes:
        would_be: The outcome that it would have had. A command for later is tried with the values
            of now.
        sim_time: When it was tried, in simulated seconds.
        source: The name of the ingress that brought it.
        id: The command's id, which stays free.
    """

    would_be: Change | Refusal
    sim_time: float
    source: str
    id: str | None = None


Outcome: TypeAlias = Change | Refusal | Scheduled | DryRun


class _FaultError(Exception):
    """Why a message is no command."""


def _read(message: object) -> Mapping[str, Any]:
    fields = _decoded(message) if isinstance(message, bytes | str) else message
    if not isinstance(fields, Mapping):
        raise _FaultError(f"expected a command, an object in JSON, not {excerpt(fields)}")
    _check_depth(fields, DEEPEST_MESSAGE)
    for key in fields:
        if key not in _KEYS:
            raise _FaultError(
                f"expected no key but {', '.join(_KEYS)}, and there is {excerpt(key)}, "
                f"in {excerpt(fields)}"
            )
    return fields


def _decoded(message: bytes | str) -> Any:
    # A character is at least a byte: one too long as text is too long in bytes.
    if len(message) <= LARGEST_MESSAGE_BYTES:
        try:
            message = message.encode() if isinstance(message, str) else message
            if len(message) <= LARGEST_MESSAGE_BYTES:
                return msgspec.json.decode(message)
        except RecursionError:
            raise _FaultError(f"nested too deep: {_beginning(message)}") from None
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _FaultError(
                f"expected a command in JSON, not {_beginning(message)}: {error}"
            ) from None
    raise _FaultError(
        f"expected a command of at most {LARGEST_MESSAGE_BYTES} bytes, not {_beginning(message)}"
    )


def _beginning(message: bytes | str) -> str:
    beginning = message[:100]
    return excerpt(
        beginning.decode(errors="replace") if isinstance(beginning, bytes) else beginning
    )


def _check_depth(value: object, levels: int) -> None:
    if not isinstance(value, Mapping | list | tuple):
        return
    if levels == 0:
        raise _FaultError(f"expected at most {DEEPEST_MESSAGE} levels: {excerpt(value)} is deeper")
    for item in value.values() if isinstance(value, Mapping) else value:
        _check_depth(item, levels - 1)


def _updates_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    forms = [key for key in ("updates", "path", "path_id") if key in fields]
    if len(forms) != 1 or (forms == ["updates"]) == ("value" in fields):
        raise _FaultError(
            f"expected either updates, or a path (or path_id) and a value, not {excerpt(fields)}"
        )
    if forms == ["updates"]:
        return _mapping_of(fields, "updates")
    path = fields[forms[0]]
    if not isinstance(path, str):
        raise _FaultError(f"{forms[0]}: expected a text, not {excerpt(path)}")
    return {path: fields["value"]}


def _mapping_of(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    values = fields.get(key)
    if values is None and key != "updates":
        return {}
    if not isinstance(values, Mapping):
        raise _FaultError(f"{key}: expected an object of paths and values, not {excerpt(values)}")
    for path in values:
        if not isinstance(path, str):
            raise _FaultError(f"{key}: expected a path as a text, not {excerpt(path)}")
    return dict(values)


def _id_of(fields: Mapping[str, Any]) -> str | None:
    name = fields.get("id")
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise _FaultError(f"id: expected a text, not {excerpt(name)}")
    return name


def _dry_run_of(fields: Mapping[str, Any]) -> bool:
    dry_run = fields.get("dry_run")
    if dry_run is None:
        return False
    if not isinstance(dry_run, bool):
        raise _FaultError(f"dry_run: expected true or false, not {excerpt(dry_run)}")
    return dry_run


def _at_of(fields: Mapping[str, Any]) -> float | None:
    at = fields.get("at")
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise _FaultError(f"at: expected a simulated time, a number, not {excerpt(at)}")
    try:
        return float(at)
    except OverflowError:
        raise _FaultError(f"at: expected a simulated time, not {excerpt(at)}") from None
