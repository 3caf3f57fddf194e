"""Fault: why a value cannot be written by a schema, and at which leaf."""

from __future__ import annotations

from typing import Any

from despatch.renderings import excerpt

__all__ = ["Fault", "unexpected"]


class Fault(Exception):
    """Why a value cannot be written.

    Attributes:
        reason: What was expected, and what came.
        where: The way from the value to the leaf: ``.parts[3].weight``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = ""

    def at(self, step: str) -> Fault:
        """The same, seen from one step further out."""
        self.where = step + self.where
        return self


def unexpected(expected: str, value: Any) -> Fault:
    """A fault that says what was expected."""
    came = "nothing" if value is None else f"{type(value).__name__} {excerpt(value)}"
    return Fault(f"expected {expected}, got {came}")
