"""A registry with Confluent's API: Confluent's own, Apicurio, Karapace, Redpanda.

A payload begins with a byte 0 and the schema's id, four bytes, big-endian.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from despatch.interfaces import Health
from despatch_serializer_avro.avro_schema import AvroSchema, SchemaError
from despatch_serializer_avro.compatibility import find_obstacle
from despatch_serializer_avro.confluent_api import ConfluentApi, RefusedError
from despatch_serializer_avro.encoder import Frame
from despatch_serializer_avro.registry import Entry, RecentSchemas, Registry, SchemaRegistryError
from despatch_serializer_avro.settings import ConfluentSettings
from despatch_serializer_avro.subjects import prefix_of, subject_of

__all__ = ["ConfluentRegistry"]

_HEAD: Final = struct.Struct(">bI")
_MAGIC: Final = 0
_MOST_SUBJECTS: Final = 10


class ConfluentRegistry(Registry):
    """Enters schemas, or takes the latest, and finds them by their id."""

    def __init__(self, settings: ConfluentSettings) -> None:
        self._settings = settings
        self._api = ConfluentApi(settings)
        self._recent = RecentSchemas()

    async def enter(self, schema: AvroSchema, target: str) -> Entry:
        """Register a schema under its subject, or find the subject's latest.

        Raises:
            SchemaRegistryError: The registry refuses it, as incompatible (409) or invalid (422);
                the latest version has no room for it; or the registry is out of reach.
        """
        subject = subject_of(self._settings.subject, target, schema.name)
        if self._settings.schema_ == "latest":
            return await self._latest(schema, subject)
        about = f"subject {subject!r}"
        answer = await self._api.post(
            "subjects", subject, "versions", body={"schema": schema.text}, about=about
        )
        return Entry(schema, self._frame(answer, about))

    async def take_apart(self, payload: bytes) -> tuple[AvroSchema, bytes]:
        """Find the schema of a payload by its id."""
        if len(payload) < _HEAD.size or payload[0] != _MAGIC:
            beginning = payload[: _HEAD.size].hex(" ")
            raise ValueError(
                f"expected Confluent's frame, a byte 0 and a schema's id, got {beginning or 'none'}"
            )
        _, schema_id = _HEAD.unpack_from(payload)
        return await self._by_id(schema_id), payload[_HEAD.size :]

    async def check(self, targets: Sequence[str]) -> Health:
        """Ask for the registry's compatibility level, and for the targets' subjects."""
        level = await self._level()
        findings = [f"schema registry {self._settings.url}: {level or 'answers'}"]
        warnings: list[str] = []
        subjects = await self._subjects() if targets else []
        for target in dict.fromkeys(targets):
            prefix = prefix_of(self._settings.subject, target)
            found = [subject for subject in subjects if subject.startswith(prefix)]
            for subject in found[:_MOST_SUBJECTS]:
                findings.append(f"subject {subject}: {await self._level(subject) or level}")
            if len(found) > _MOST_SUBJECTS:
                findings.append(f"and {len(found) - _MOST_SUBJECTS} subjects more of {prefix}…")
            if not found and self._settings.schema_ == "latest":
                warnings.append(
                    f"no subject begins with {prefix}: `schema: latest` waits until one is there"
                )
            elif not found:
                findings.append(f"no subject begins with {prefix} yet, they will be made")
        return Health(findings, warnings)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def _latest(self, schema: AvroSchema, subject: str) -> Entry:
        about = f"subject {subject!r}"
        try:
            answer = await self._api.get("subjects", subject, "versions", "latest", about=about)
        except RefusedError as error:
            if error.status != 404:
                raise
            hint = "register a schema there, or set `schema: register`"
            raise SchemaRegistryError(f"{error}: {hint}") from error
        try:
            latest = _schema_in(answer)
        except SchemaError as error:
            raise SchemaRegistryError(
                f"{self._where(about)}: the latest version: {error}"
            ) from error
        obstacle = find_obstacle(schema, latest)
        if obstacle is not None:
            raise SchemaRegistryError(
                f"{self._where(about)}: the latest version has no room for {schema.name}: "
                f"{obstacle}"
            )
        return Entry(latest, self._frame(answer, about))

    async def _by_id(self, schema_id: int) -> AvroSchema:
        known = self._recent.get(schema_id)
        if known is not None:
            return known
        try:
            answer = await self._api.get("schemas", "ids", str(schema_id), about=f"id {schema_id}")
        except RefusedError as error:
            if error.status == 404:
                raise ValueError(f"expected the id of a schema: {error}") from error
            raise
        return self._recent.keep(schema_id, _schema_in(answer))

    async def _level(self, subject: str = "") -> str:
        """The compatibility level of all subjects, or of one; empty where none is set for it."""
        path = ["config", subject] if subject else ["config"]
        try:
            answer = await self._api.get(*path, about="the compatibility level")
        except RefusedError as error:
            if error.status != 404:
                raise
            return ""
        return str(answer.get("compatibilityLevel", "")) if isinstance(answer, Mapping) else ""

    async def _subjects(self) -> list[str]:
        answer = await self._api.get("subjects", about="its subjects")
        return sorted(map(str, answer)) if isinstance(answer, list) else []

    def _frame(self, answer: Any, about: str) -> Frame:
        schema_id = answer.get("id") if isinstance(answer, Mapping) else None
        if type(schema_id) is not int or not 0 <= schema_id < 2**32:
            raise SchemaRegistryError(
                f"{self._where(about)}: expected a schema's id, got {answer!r:.100}"
            )
        return Frame(_HEAD.pack(_MAGIC, schema_id))

    def _where(self, about: str) -> str:
        return f"schema registry {self._settings.url}: {about}"


def _schema_in(answer: Any) -> AvroSchema:
    """The schema that a registry gave.

    Raises:
        SchemaError: It is none of Avro's, or needs others.
    """
    fields = answer if isinstance(answer, Mapping) else {}
    kind = fields.get("schemaType", "AVRO")
    if kind != "AVRO":
        raise SchemaError(f"expected a schema of type AVRO, got {kind!r:.40}")
    if fields.get("references"):
        raise SchemaError("expected a schema that stands alone, got one with references to others")
    text = fields.get("schema")
    if not isinstance(text, str):
        raise SchemaError(f"expected a schema as text, got {type(text).__name__}")
    return AvroSchema.parse(text)
