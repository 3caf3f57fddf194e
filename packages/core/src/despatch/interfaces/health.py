"""Health: what a plugin says of itself when it is asked before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Health"]


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` tried and found in order; what is not in order, it raises.

    Attributes:
        findings: What is there and works, a short sentence each, such as
            ``"topic line_a.event: 3 partitions, may be written"``.
        warnings: What works and is yet doubtful, such as ``"the server may evict keys"``.
    """

    findings: Sequence[str] = ()
    warnings: Sequence[str] = ()
