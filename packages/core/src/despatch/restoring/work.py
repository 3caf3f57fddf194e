"""Work: somebody or something that was being served, or waited, when a snapshot was taken."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Work"]


class Work(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a model makes a process for, so that it goes on where it was.

    Attributes:
        key: Who it is, as the model's records call it.
        is_in_service: Whether it is being served; otherwise it waits.
        priority: A smaller number is more important.
        data: What else the state says of it, plain data.
        elapsed: How long it has been served, in simulated seconds; None of those who wait, and
            where the state says only what remains.
        remaining: How much longer it will be served, in simulated seconds: what the state says,
            or drawn given what has elapsed. None of those who wait.
        joined: When it joined the queue, in simulated seconds, mostly before now; None of those
            who are served, and where the state does not say.
    """

    key: str
    is_in_service: bool
    priority: int
    data: dict[str, Any]
    elapsed: float | None = None
    remaining: float | None = None
    joined: float | None = None
