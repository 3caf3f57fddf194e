"""Subjects, their versions and their rules, kept in a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.registry_stand_in.avro import canonical, parse, why_unreadable

__all__ = ["LEVELS", "RefusalError", "Store", "Version"]

LEVELS = ("NONE", *(a + b for a in ("BACKWARD", "FORWARD", "FULL") for b in ("", "_TRANSITIVE")))


class RefusalError(Exception):
    """What the registry answers instead: its error code, which begins with HTTP's, and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Version:
    """A schema as one version of a subject."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False


class Store:
    """All that the registry knows. Every change is on disk before it is confirmed."""

    def __init__(self, file: Path) -> None:
        self._versions: list[Version] = []
        self._levels: dict[str, str] = {"": "BACKWARD"}
        self._file = file
        if file.exists():
            for line in file.read_text().splitlines():
                self._apply(json.loads(line))

    def subjects(self) -> list[str]:
        """Every subject that has a version."""
        return sorted({each.subject for each in self._versions if not each.deleted})

    def versions(self, subject: str) -> list[Version]:
        """The versions of a subject, oldest first."""
        found = [each for each in self._of(subject) if not each.deleted]
        if not found:
            raise RefusalError(40401, f"Subject '{subject}' not found.")
        return found

    def version(self, subject: str, which: str) -> Version:
        """One of them: its number, or ``latest``."""
        if which in ("latest", "-1"):
            return self.versions(subject)[-1]
        if not which.isdecimal() or not 1 <= int(which) < 2**31:
            raise RefusalError(42202, f"The specified version '{which}' is not a valid version id.")
        for each in self.versions(subject):
            if each.version == int(which):
                return each
        raise RefusalError(40402, f"Version {which} not found.")

    def by_id(self, schema_id: int) -> list[Version]:
        """Every version that is the schema of this id."""
        found = [each for each in self._versions if each.id == schema_id]
        if not found:
            raise RefusalError(40403, f"Schema {schema_id} not found")
        return found

    def look_up(self, subject: str, schema: str) -> Version:
        """The version that a schema is in a subject."""
        for each in self.versions(subject):
            if each.schema == canonical(schema):
                return each
        raise RefusalError(40403, "Schema not found")

    def register(self, subject: str, schema: str) -> Version:
        """Make a schema the subject's next version, unless it is one already."""
        if reason := self.why_incompatible(subject, schema):
            raise RefusalError(
                409, f"Schema being registered is incompatible with an earlier schema: {reason}"
            )
        text = canonical(schema)
        known = [each for each in self._of(subject) if each.schema == text and not each.deleted]
        if known:
            return known[0]
        ids = {each.schema: each.id for each in self._versions}
        added = {
            "subject": subject,
            "version": max((each.version for each in self._of(subject)), default=0) + 1,
            "id": ids.get(text, len(ids) + 1),
            "schema": text,
        }
        self._keep({"added": added})
        return self._versions[-1]

    def delete(self, subject: str) -> list[int]:
        """Delete a subject's versions. Their schemas can still be had by their ids."""
        deleted = [each.version for each in self.versions(subject)]
        self._keep({"deleted": subject})
        return deleted

    def level(self, subject: str, *, or_global: bool = True) -> str:
        """What a subject's next schema has to be compatible with; of all, for ''."""
        if subject not in self._levels and not or_global:
            message = f"Subject '{subject}' does not have subject-level compatibility configured"
            raise RefusalError(40408, message)
        return self._levels.get(subject, self._levels[""])

    def set_level(self, subject: str, level: str) -> None:
        """Change it."""
        if level not in LEVELS:
            raise RefusalError(42203, f"Invalid compatibility level. Valid values are {LEVELS}")
        self._keep({"level": level, "of": subject})

    def why_incompatible(
        self, subject: str, schema: str, against: list[Version] | None = None
    ) -> str | None:
        """Why a schema may not follow `against`: all versions, or the last, as the level says."""
        parsed, level = parse(schema), self.level(subject)
        if against is None:
            against = [each for each in self._of(subject) if not each.deleted]
            against = against if level.endswith("_TRANSITIVE") else against[-1:]
        for each in against:
            earlier = parse(each.schema)
            reason = None
            if level.startswith(("BACKWARD", "FULL")):
                reason = why_unreadable(parsed, earlier)
            if level.startswith(("FORWARD", "FULL")):
                reason = reason or why_unreadable(earlier, parsed)
            if reason:
                return f"{reason} (version {each.version}, {level})"
        return None

    def _of(self, subject: str) -> list[Version]:
        return [each for each in self._versions if each.subject == subject]

    def _keep(self, change: dict[str, Any]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(change) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._apply(change)

    def _apply(self, change: dict[str, Any]) -> None:
        match change:
            case {"added": added}:
                self._versions.append(Version(**added))
            case {"deleted": subject}:
                self._versions = [
                    Version(each.subject, each.version, each.id, each.schema, deleted=True)
                    if each.subject == subject
                    else each
                    for each in self._versions
                ]
            case {"level": level, "of": subject}:
                self._levels[subject] = level
