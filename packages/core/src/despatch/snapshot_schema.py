"""The JSON Schema of a snapshot: for whoever writes such documents, and for editors.

It says what `Snapshot` takes, as far as JSON Schema can: that nothing is later than `taken_at`, and
that one in service has `elapsed` or `remaining` that is no null, it does not know.
"""

from __future__ import annotations

import inspect
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from despatch import snapshots
from despatch.snapshots import SNAPSHOT_VERSION, Snapshot

__all__ = ["schema_of_snapshot"]


def schema_of_snapshot() -> dict[str, Any]:
    """Make the schema, in the dialect of JSON Schema 2020-12."""
    made = Snapshot.model_json_schema()
    for name, part in made["$defs"].items():
        part["description"] = _summary(getattr(snapshots, name))
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **made,
        "title": f"Snapshot of a despatch model, version {SNAPSHOT_VERSION}",
        "description": _summary(Snapshot),
    }


def _summary(model: type) -> str:
    return (inspect.getdoc(model) or "").partition("\n")[0]
