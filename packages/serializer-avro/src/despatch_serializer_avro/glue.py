"""The AWS Glue Schema Registry.

A payload begins with a byte 3, a byte that says whether the datum is deflated (5) or not (0), and
the schema version's UUID.

Source: https://github.com/awslabs/aws-glue-schema-registry (AWSSchemaRegistryConstants)
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from despatch.interfaces import Health
from despatch_serializer_avro.avro_schema import AvroSchema, SchemaError
from despatch_serializer_avro.encoder import Frame
from despatch_serializer_avro.glue_api import GlueApi, GlueRefusedError
from despatch_serializer_avro.registry import Entry, RecentSchemas, Registry, SchemaRegistryError
from despatch_serializer_avro.settings import GlueSettings
from despatch_serializer_avro.subjects import prefix_of, subject_of

__all__ = ["GlueRegistry"]

_VERSION: Final = 3
_PLAIN, _ZLIB = 0, 5
_HEAD_BYTES: Final = 18
_LARGEST_DATUM_BYTES: Final = 1024 * 1024
_NOT_FOUND: Final = "EntityNotFoundException"
_DEFAULT_REGISTRY: Final = "default-registry"
_NAME: Final = re.compile(r"[a-zA-Z0-9\-_$#.]{1,255}")
# How long to wait before asking again whether a version is available; it doubles.
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class GlueRegistry(Registry):
    """Enters schemas, and finds them by the UUID of their version."""

    def __init__(self, settings: GlueSettings) -> None:
        self._settings = settings
        self._api = GlueApi(settings)
        self._recent = RecentSchemas()

    async def enter(self, schema: AvroSchema, target: str) -> Entry:
        """Find the version that a schema is, or create it, and wait until it is available.

        Raises:
            SchemaRegistryError: Glue refuses it, holds it to be incompatible, takes longer than
                `timeout`, or is out of reach.
        """
        name = subject_of(self._settings.schema_name, target, schema.name, value_suffix="")
        if not _NAME.fullmatch(name):
            raise SchemaRegistryError(
                f"Glue takes no schema's name {name!r:.300}: at most 255 letters, digits and -_$#. "
                "(set `schema_name: record`, or name the target otherwise)"
            )
        version = await self._version(name, schema.text)
        version_id = await self._available(name, version)
        is_compressed = self._settings.compression == "zlib"
        head = bytes([_VERSION, _ZLIB if is_compressed else _PLAIN])
        return Entry(schema, Frame(head + version_id.bytes, is_compressed))

    async def take_apart(self, payload: bytes) -> tuple[AvroSchema, bytes]:
        """Find the schema of a payload by its version's UUID."""
        is_framed = len(payload) >= _HEAD_BYTES and payload[0] == _VERSION
        if not is_framed or payload[1] not in (_PLAIN, _ZLIB):
            raise ValueError(
                "expected Glue's frame, a byte 3, a byte 0 or 5 and a UUID, "
                f"got {payload[:2].hex(' ') or 'nothing'}"
            )
        schema = await self._by_id(UUID(bytes=payload[2:_HEAD_BYTES]))
        datum = payload[_HEAD_BYTES:]
        return schema, _inflated(datum) if payload[1] == _ZLIB else datum

    async def check(self, targets: Sequence[str]) -> Health:
        """Ask for the registry, and for the schemas of the targets."""
        settings = self._settings
        registry = {"RegistryName": settings.registry_name}
        about = "the registry"
        try:
            await self._api.ask("get_registry", about=about, RegistryId=registry)
        except GlueRefusedError as error:
            if error.code != _NOT_FOUND:
                raise
            if settings.registry_name != _DEFAULT_REGISTRY:
                raise SchemaRegistryError(f"{error}: create it, or set `registry_name`") from error
            # Glue makes this one with the first schema.
            return Health([f"Glue registry {settings.registry_name}: not there yet, will be made"])
        findings = [f"Glue registry {settings.registry_name}: is there"]
        for target in dict.fromkeys(targets):
            prefix = prefix_of(settings.schema_name, target, value_suffix="")
            findings.append(f"schemas are called {prefix}…")
        return Health(findings)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def _version(self, name: str, text: str) -> dict[str, Any]:
        settings = self._settings
        schema_id = {"RegistryName": settings.registry_name, "SchemaName": name}
        about = f"schema {name!r}"
        try:
            return await self._api.ask(
                "get_schema_by_definition",
                about=about,
                SchemaId=schema_id,
                SchemaDefinition=text,
            )
        except GlueRefusedError as error:
            if error.code != _NOT_FOUND:
                raise
        try:
            created = await self._api.ask(
                "create_schema",
                about=about,
                RegistryId={"RegistryName": settings.registry_name},
                SchemaName=name,
                DataFormat="AVRO",
                Compatibility=settings.compatibility,
                SchemaDefinition=text,
            )
        except GlueRefusedError as error:
            if error.code != "AlreadyExistsException":
                raise
            return await self._api.ask(
                "register_schema_version", about=about, SchemaId=schema_id, SchemaDefinition=text
            )
        return {**created, "Status": created.get("SchemaVersionStatus")}

    async def _available(self, name: str, version: dict[str, Any]) -> UUID:
        about = f"schema {name!r}"
        version_id, pause_s = version["SchemaVersionId"], _FIRST_PAUSE_S
        timeout_s = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(timeout_s):
                while version.get("Status") == "PENDING":
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                    version = await self._api.ask(
                        "get_schema_version", about=about, SchemaVersionId=version_id
                    )
        except TimeoutError:
            message = f"Glue: {about}: still pending after {timeout_s:g} s"
            raise SchemaRegistryError(message) from None
        if version.get("Status") != "AVAILABLE":
            raise SchemaRegistryError(
                f"Glue registry {self._settings.registry_name}: {about}: the version's status is "
                f"{version.get('Status')}: is it compatible with the earlier ones?"
            )
        return UUID(version_id)

    async def _by_id(self, version_id: UUID) -> AvroSchema:
        known = self._recent.get(version_id)
        if known is not None:
            return known
        about = f"schema version {version_id}"
        try:
            answer = await self._api.ask(
                "get_schema_version", about=about, SchemaVersionId=str(version_id)
            )
        except GlueRefusedError as error:
            if error.code == _NOT_FOUND:
                raise ValueError(f"expected the UUID of a schema version: {error}") from error
            raise
        if answer.get("DataFormat", "AVRO") != "AVRO":
            raise SchemaError(f"expected a schema of format AVRO, got {answer['DataFormat']}")
        return self._recent.keep(version_id, AvroSchema.parse(answer["SchemaDefinition"]))


def _inflated(datum: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(datum, _LARGEST_DATUM_BYTES)
    except zlib.error as error:
        raise ValueError(f"expected a datum deflated by zlib: {error}") from error
    if not inflater.eof:
        raise ValueError(f"expected a deflated datum of at most {_LARGEST_DATUM_BYTES} bytes")
    return inflated
