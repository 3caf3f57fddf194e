"""Without a registry: payloads that name their schema by its fingerprint, or do not name it.

A single-object encoding begins with the bytes C3 01 and the CRC-64-AVRO fingerprint of the schema,
8 bytes, little-endian. The fingerprint is of the schema's canonical form, which has no logical
types: two schemas that differ in them alone have the same.

Source: https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from despatch.interfaces import Health
from despatch_serializer_avro.avro_schema import LARGEST_SCHEMA_BYTES, AvroSchema, SchemaError
from despatch_serializer_avro.encoder import Frame
from despatch_serializer_avro.registry import Entry, RecentSchemas, Registry, SchemaRegistryError
from despatch_serializer_avro.settings import AvroSettings

__all__ = ["Unregistered"]

_MAGIC: Final = b"\xc3\x01"
_HEAD_BYTES: Final = 10
_MOST_FILES: Final = 1000
_LONGEST_NAME: Final = 150


class Unregistered(Registry):
    """Keeps schemas in a folder, if anywhere."""

    def __init__(self, settings: AvroSettings) -> None:
        self._settings = settings
        self._recent = RecentSchemas()

    async def enter(self, schema: AvroSchema, target: str) -> Entry:
        """Put a schema into the folder, where there is one.

        Raises:
            SchemaRegistryError: It cannot be written there.
        """
        if self._settings.schemas is not None:
            await asyncio.to_thread(_write, self._settings.schemas, schema)
        if self._settings.frame == "bare":
            return Entry(schema, Frame())
        self._recent.keep(schema.fingerprint, schema)
        return Entry(schema, Frame(_MAGIC + schema.fingerprint))

    async def take_apart(self, payload: bytes) -> tuple[AvroSchema, bytes]:
        """Find the schema of a payload by its fingerprint, or take the one of the settings."""
        if self._settings.frame == "bare":
            return await self._of_file(), payload
        if len(payload) < _HEAD_BYTES or not payload.startswith(_MAGIC):
            raise ValueError(
                "expected Avro's single-object encoding, the bytes c3 01 and a fingerprint, "
                f"got {payload[:2].hex(' ') or 'nothing'}"
            )
        return await self._by_fingerprint(payload[2:_HEAD_BYTES]), payload[_HEAD_BYTES:]

    async def check(self, targets: Sequence[str]) -> Health:
        """See that the folder may be written, and that the file is a schema."""
        findings = []
        if self._settings.schemas is not None:
            findings.append(await asyncio.to_thread(_examine, self._settings.schemas))
        if self._settings.schema_file is not None:
            schema = await self._of_file()
            findings.append(f"schema file {self._settings.schema_file}: {schema.name}")
        return Health(findings)

    async def _of_file(self) -> AvroSchema:
        path = self._settings.schema_file
        if path is None:
            raise ValueError(
                "a bare datum does not name its schema: set `schema_file`, or use a frame that does"
            )
        known = self._recent.get(path)
        if known is not None:
            return known
        try:
            return self._recent.keep(path, await asyncio.to_thread(_read, path))
        except (OSError, SchemaError) as error:
            raise SchemaRegistryError(f"schema file {path}: {error}") from error

    async def _by_fingerprint(self, fingerprint: bytes) -> AvroSchema:
        known = self._recent.get(fingerprint)
        if known is not None:
            return known
        folder = self._settings.schemas
        if folder is None:
            raise ValueError(
                f"no schema has the fingerprint {fingerprint.hex()}: set `schemas` to a folder "
                "of .avsc files"
            )
        try:
            found = await asyncio.to_thread(_find, folder, fingerprint)
        except OSError as error:
            raise SchemaRegistryError(f"schemas in {folder}: {error}") from error
        if found is None:
            raise ValueError(f"no schema in {folder} has the fingerprint {fingerprint.hex()}")
        return self._recent.keep(fingerprint, found)


def _write(folder: Path, schema: AvroSchema) -> None:
    """Write a schema, whole or not at all."""
    name = f"{schema.name[:_LONGEST_NAME]}-{schema.fingerprint.hex()}.avsc"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
            try:
                file.write(schema.text)
                file.close()
                # A temporary file may be read by its owner alone.
                os.chmod(file.name, 0o644)
                os.replace(file.name, folder / name)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise SchemaRegistryError(f"schemas in {folder}: {error}") from error


def _read(path: Path) -> AvroSchema:
    with path.open("rb") as file:
        content = file.read(LARGEST_SCHEMA_BYTES + 1)
    return AvroSchema.parse(content.decode(errors="replace"))


def _schemas(folder: Path) -> Iterator[AvroSchema]:
    for path in sorted(folder.glob("*.avsc"))[:_MOST_FILES]:
        try:
            yield _read(path)
        except SchemaError:  # somebody's draft: it has no fingerprint, and is not looked for
            continue


def _find(folder: Path, fingerprint: bytes) -> AvroSchema | None:
    return next((each for each in _schemas(folder) if each.fingerprint == fingerprint), None)


def _examine(folder: Path) -> str:
    if not folder.exists():
        return f"schemas in {folder}: not there yet, will be made"
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise SchemaRegistryError(f"schemas in {folder}: expected a folder that may be written")
    return f"schemas in {folder}: {sum(1 for _ in folder.glob('*.avsc'))} files"
