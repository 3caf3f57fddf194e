"""Snapshot: the state of a real system at an instant, as a model takes it in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from despatch.mistakes import mistake
from despatch.renderings import excerpt

__all__ = ["SNAPSHOT_VERSION", "Snapshot"]

SNAPSHOT_VERSION: Final = 1
"""The version of the document's form."""

_DEEPEST: Final = 16


class Snapshot(BaseModel):
    """What a real system is like at an instant.

    It is a document: `model_validate_json` reads it, and what it does not know it refuses. Whether
    a value fits the model is told by the registry when the values are set, all at once.

        >>> Snapshot.model_validate_json(
        ...     '{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Line_A.lathe.capacity": 2}}'
        ... ).parameters
        {'Line_A.lathe.capacity': 2}

    Raises:
        ValidationError: Something is missing or unknown, `taken_at` has no offset, or a value is
            not plain data: None, bool, int, finite float, str without lone surrogates, and list
            or dict of these with text keys, at most 16 levels deep.

    Attributes:
        version: The version of the document's form.
        taken_at: When the system was in this state, with an offset from UTC.
        parameters: Dotted path in the registry to the value that the real system has there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = Field(
        default=SNAPSHOT_VERSION, description="The version of the document's form."
    )
    taken_at: AwareDatetime = Field(
        description="When the system was in this state, with an offset from UTC."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Dotted path in the registry to the value that the real system has there.",
    )

    @field_validator("parameters", mode="after")
    @classmethod
    def _are_plain(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for path, value in parameters.items():
            if not _is_encodable(path):
                raise mistake(f"paths without lone surrogates, not {excerpt(path)}")
            for place, expected in _faults(value, path, _DEEPEST):
                raise mistake(f"{expected} at {place}")
        return parameters


def _faults(value: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    """Where something is no plain data, and what was expected there."""
    if depth == 0:
        yield place, f"at most {_DEEPEST} levels"
    elif isinstance(value, dict):
        for key, each in value.items():
            if not (isinstance(key, str) and _is_encodable(key)):
                yield place, f"text as keys, not {excerpt(key)},"
            yield from _faults(each, f"{place}.{key}", depth - 1)
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _faults(each, f"{place}[{i}]", depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield place, f"a finite number, not {value},"
    elif isinstance(value, str):
        if not _is_encodable(value):
            yield place, f"text without lone surrogates, not {excerpt(value)},"
    elif not (value is None or isinstance(value, int)):
        yield place, f"plain data, not a {type(value).__name__},"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
