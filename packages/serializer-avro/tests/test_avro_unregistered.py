from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from despatch_serializer_avro import AvroSettings, SchemaRegistryError, schema_of
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.unregistered import Unregistered

SCHEMA = AvroSchema.of(schema_of(None))
FINGERPRINT = SCHEMA.fingerprint


def alone(**settings: Any) -> Unregistered:
    return Unregistered(AvroSettings.model_validate(settings))


def take_apart(registry: Unregistered, payload: bytes) -> tuple[AvroSchema, bytes]:
    return asyncio.run(registry.take_apart(payload))


def test_a_payload_names_its_schema_by_its_fingerprint() -> None:
    registry = alone()
    entry = asyncio.run(registry.enter(SCHEMA, "t"))
    assert entry.frame.prefix == b"\xc3\x01" + FINGERPRINT
    assert take_apart(registry, entry.frame.prefix + b"datum") == (SCHEMA, b"datum")


def test_a_folder_has_the_schemas_for_whoever_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "schemas"
    asyncio.run(alone(schemas=folder).enter(SCHEMA, "t"))
    (file,) = folder.iterdir()
    assert file.name == f"despatch.Event-{FINGERPRINT.hex()}.avsc"
    assert AvroSchema.parse(file.read_text()) == SCHEMA
    assert file.stat().st_mode & 0o777 == 0o644
    (folder / "a-draft.avsc").write_text("{")
    another = alone(schemas=folder)
    assert take_apart(another, b"\xc3\x01" + FINGERPRINT + b"d") == (SCHEMA, b"d")
    file.unlink()  # it is remembered
    assert take_apart(another, b"\xc3\x01" + FINGERPRINT)[0] == SCHEMA


def test_a_folder_that_cannot_be_written_is_passing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SchemaRegistryError, match="schemas in"):
        asyncio.run(alone(schemas=file).enter(SCHEMA, "t"))
    with pytest.raises(SchemaRegistryError, match="expected a folder that may be written"):
        asyncio.run(alone(schemas=file).check([]))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "got nothing"),
        (b"{}", "single-object encoding, the bytes c3 01 and a fingerprint, got 7b 7d"),
        (b"\xc3\x01short", "got c3 01"),
        (b"\xc3\x01" + FINGERPRINT, f"fingerprint {FINGERPRINT.hex()}: set `schemas` to a folder"),
    ],
)
def test_a_payload_that_names_no_known_schema_is_refused(payload: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        take_apart(alone(), payload)


def test_a_fingerprint_that_no_file_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no schema in .* has the fingerprint"):
        take_apart(alone(schemas=tmp_path), b"\xc3\x01" + FINGERPRINT)


def test_a_bare_datum_is_of_the_schema_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "command.avsc"
    file.write_text(SCHEMA.text)
    registry = alone(frame="bare", schema_file=file)
    assert asyncio.run(registry.enter(SCHEMA, "t")).frame.prefix == b""
    assert take_apart(registry, b"datum") == (SCHEMA, b"datum")
    assert asyncio.run(registry.check([])).findings == [f"schema file {file}: despatch.Event"]


def test_a_bare_datum_without_a_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set `schema_file`"):
        take_apart(alone(frame="bare"), b"datum")
    file = tmp_path / "command.avsc"
    with pytest.raises(SchemaRegistryError, match="No such file"):
        take_apart(alone(frame="bare", schema_file=file), b"datum")
    file.write_text("{")
    with pytest.raises(SchemaRegistryError, match="expected a schema in JSON"):
        asyncio.run(alone(frame="bare", schema_file=file).check([]))


def test_the_doctor_is_told_of_the_folder(tmp_path: Path) -> None:
    assert asyncio.run(alone().check([])).findings == []
    folder = tmp_path / "schemas"
    (told,) = asyncio.run(alone(schemas=folder).check([])).findings
    assert told.endswith("not there yet, will be made")
    assert not folder.exists()
    asyncio.run(alone(schemas=folder).enter(SCHEMA, "t"))
    assert asyncio.run(alone(schemas=folder).check([])).findings == [
        f"schemas in {folder}: 1 files"
    ]
