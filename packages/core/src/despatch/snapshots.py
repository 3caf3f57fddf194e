"""Snapshot: the state of a real system at an instant, as a model takes it in."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["SNAPSHOT_VERSION", "Snapshot"]

SNAPSHOT_VERSION: Final = 1
"""The version of the document's form."""


class Snapshot(BaseModel):
    """What a real system is like at an instant.

    It is a document: `model_validate_json` reads it, and what it does not know it refuses. Whether
    a value fits the model is told by the registry when the values are set, all at once.

        >>> Snapshot.model_validate_json(
        ...     '{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Line_A.lathe.capacity": 2}}'
        ... ).parameters
        {'Line_A.lathe.capacity': 2}

    Attributes:
        version: The version of the document's form.
        taken_at: When the state was read, with an offset from UTC.
        parameters: Dotted path in the registry to the value that the real system has there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = Field(default=SNAPSHOT_VERSION, description="The version of the document's form.")
    taken_at: AwareDatetime = Field(description="When the state was read, with an offset from UTC.")
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Dotted path in the registry to the value that the real system has there.",
    )
