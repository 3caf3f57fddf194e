"""Commands and their outcomes: what the world asks of a running model, and what became of it."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = ["Change", "Command", "Outcome", "Refusal", "Scheduled", "Update"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A set of updates that is applied as a whole, or refused as a whole.

    Attributes:
        updates: Path to new value.
        id: Names the command; one that comes again with the same id is applied once.
        at: Simulated time to apply it at, in simulated seconds; None is at once.
        expect: Path to the value that must be there for the command to be applied.
        source: The name of the ingress that brought it; the core fills it in.
        fault: Why this is no command at all; it is refused with this reason.
        handle: The connector's own, for `acknowledge`; it never leaves the courier.
    """

    updates: dict[str, Any] = {}
    id: str | None = None
    at: float | None = None
    expect: dict[str, Any] = {}
    source: str = ""
    fault: str | None = None
    handle: Any = None


class Update(msgspec.Struct, frozen=True):
    """One parameter's change."""

    path: str
    old: Any
    new: Any


class Change(msgspec.Struct, frozen=True, kw_only=True, tag="change"):
    """A command that was applied.

    Attributes:
        updates: What changed, in the command's order; a value that was already there is listed.
        sim_time: When, in simulated seconds.
        source: Who asked for it: an ingress's name, or ``"model"``.
        id: The command's id.
    """

    updates: tuple[Update, ...]
    sim_time: float
    source: str
    id: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """A command that was refused and had no effect."""

    reason: str
    sim_time: float
    source: str
    id: str | None = None
    updates: dict[str, Any] = {}


class Scheduled(msgspec.Struct, frozen=True, kw_only=True, tag="scheduled"):
    """A command that waits for its simulated time `at`; another outcome follows then."""

    at: float
    sim_time: float
    source: str
    id: str | None = None
    updates: dict[str, Any] = {}


Outcome: TypeAlias = Change | Refusal | Scheduled
