"""Settings as the run's folder keeps them: as they were written, secrets unresolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from despatch.settings import EgressSettings, IngressSettings, Settings

__all__ = ["as_written"]


def as_written(written: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Settings as a settings file could say them; a connector given as an object by its class.

    Args:
        written: As they were given.
        settings: The same, checked.
    """
    json: dict[str, Any] = to_jsonable_python(
        written, timedelta_mode="float", fallback=lambda each: f"live:{type(each).__name__}"
    )
    given = [*(json.get("ingress") or ()), *(json.get("egress") or ())]
    entries: list[IngressSettings | EgressSettings] = [*settings.ingress, *settings.egress]
    for fields, entry in zip(given, entries, strict=True):
        # Its name would be made of the object's class, which is not there to be asked later.
        if not isinstance(entry.connector, str) and isinstance(fields, dict):
            fields.setdefault("name", entry.name)
    return json
