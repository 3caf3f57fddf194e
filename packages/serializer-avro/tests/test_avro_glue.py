"""Against moto's Glue; what moto never says comes from a server that answers anything."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest

from despatch.interfaces import Health
from despatch_serializer_avro import GlueSettings, SchemaRegistryError
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.glue import GlueRegistry
from despatch_serializer_avro.registry import Entry

REGION = "eu-central-1"


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


@pytest.fixture
def client(glue_url: str) -> Iterator[Any]:
    client = boto3.client("glue", endpoint_url=glue_url, region_name=REGION)
    yield client
    client.close()


@pytest.fixture
def name(client: Any) -> str:
    """The name of a registry that is there."""
    name = f"r{uuid4().hex}"
    client.create_registry(RegistryName=name)
    return name


def registry(url: str, **settings: Any) -> GlueRegistry:
    given = {"endpoint_url": url, "region": REGION, **settings}
    return GlueRegistry(GlueSettings.model_validate(given))


def schema(*fields: Any, name: str = "Part") -> AvroSchema:
    listed = [{"name": label, "type": node} for label, node in fields]
    return AvroSchema.of(
        {"type": "record", "name": name, "namespace": "despatch.event", "fields": listed}
    )


SIZE = schema(("size", "long"))
SIZE_AND_NOTE = schema(("size", "long"), ("note", ["null", "string"]))
UNKNOWN = b"\x03\x00" + UUID(int=5).bytes


def enter(registry: GlueRegistry, schema: AvroSchema, target: str) -> Entry:
    async def run() -> Entry:
        try:
            return await registry.enter(schema, target)
        finally:
            await registry.close()

    return asyncio.run(run())


def take_apart(registry: GlueRegistry, payload: bytes) -> tuple[AvroSchema, bytes]:
    async def run() -> tuple[AvroSchema, bytes]:
        try:
            return await registry.take_apart(payload)
        finally:
            await registry.close()

    return asyncio.run(run())


def check(registry: GlueRegistry, targets: Sequence[str] = ()) -> Health:
    async def run() -> Health:
        try:
            return await registry.check(targets)
        finally:
            await registry.close()

    return asyncio.run(run())


def test_a_schema_is_created_and_found_by_its_version(
    glue_url: str, client: Any, name: str, topic: str
) -> None:
    entry = enter(registry(glue_url, registry_name=name), SIZE, topic)
    assert entry.frame.prefix[:2] == b"\x03\x00"
    version = client.get_schema_version(SchemaVersionId=str(UUID(bytes=entry.frame.prefix[2:])))
    assert json.loads(version["SchemaDefinition"]) == json.loads(SIZE.text)
    schema_id = {"RegistryName": name, "SchemaName": f"{topic}-despatch.event.Part"}
    created = client.get_schema(SchemaId=schema_id)
    assert (created["DataFormat"], created["Compatibility"]) == ("AVRO", "BACKWARD")
    read, datum = take_apart(registry(glue_url), entry.frame.prefix + b"datum")
    assert (read, datum) == (SIZE, b"datum")


def test_entering_again_makes_no_version(glue_url: str, name: str, topic: str) -> None:
    one = enter(registry(glue_url, registry_name=name), SIZE, topic)
    assert enter(registry(glue_url, registry_name=name), SIZE, topic).frame == one.frame


def test_another_schema_is_another_version(glue_url: str, name: str, topic: str) -> None:
    one = enter(registry(glue_url, registry_name=name), SIZE, topic)
    other = enter(registry(glue_url, registry_name=name), SIZE_AND_NOTE, topic)
    assert one.frame != other.frame
    assert take_apart(registry(glue_url), one.frame.prefix)[0] == SIZE
    assert take_apart(registry(glue_url), other.frame.prefix)[0] == SIZE_AND_NOTE


@pytest.mark.parametrize(
    ("strategy", "called"),
    [("topic", "{}"), ("record", "despatch.event.{}"), ("topic_record", "{0}-despatch.event.{0}")],
)
def test_the_name_is_by_the_strategy(
    glue_url: str, client: Any, name: str, topic: str, strategy: str, called: str
) -> None:
    settings = {"registry_name": name, "schema_name": strategy}
    enter(registry(glue_url, **settings), schema(name=topic), topic)
    client.get_schema(SchemaId={"RegistryName": name, "SchemaName": called.format(topic)})


def test_the_registry_by_default_is_made(glue_url: str, topic: str) -> None:
    assert enter(registry(glue_url), SIZE, topic).schema is SIZE


def test_a_name_that_glue_does_not_take_is_told_at_once(glue_url: str) -> None:
    with pytest.raises(SchemaRegistryError, match="Glue takes no schema's name 'line:a-despatch"):
        enter(registry(glue_url), SIZE, "line:a")


def test_a_datum_may_be_deflated(glue_url: str, topic: str) -> None:
    entry = enter(registry(glue_url, compression="zlib"), SIZE, topic)
    assert entry.frame.is_compressed
    assert entry.frame.prefix[:2] == b"\x03\x05"
    deflated = zlib.compress(b"datum" * 100)
    assert take_apart(registry(glue_url), entry.frame.prefix + deflated)[1] == b"datum" * 100


@pytest.mark.parametrize(
    ("datum", "said"),
    [
        (zlib.compress(bytes(2 * 1024 * 1024)), "at most 1048576 bytes"),
        (zlib.compress(b"datum")[:-4], "at most"),
        (b"datum", "deflated by zlib"),
    ],
)
def test_what_is_deflated_is_bounded(glue_url: str, topic: str, datum: bytes, said: str) -> None:
    entry = enter(registry(glue_url, compression="zlib"), SIZE, topic)
    with pytest.raises(ValueError, match=said):
        take_apart(registry(glue_url), entry.frame.prefix + datum)


@pytest.mark.parametrize(
    ("payload", "got"),
    [
        (b"", "nothing"),
        (b"{}", "7b 7d"),
        (b"\x03\x00short", "03 00"),
        (b"\x03\x07" + bytes(16), "03 07"),
        (b"\x00" * 20, "00 00"),
    ],
)
def test_another_frame_is_refused(payload: bytes, got: str) -> None:
    with pytest.raises(ValueError, match=f"expected Glue's frame.*got {got}"):
        take_apart(registry("http://127.0.0.1:9"), payload)


def test_a_version_that_nobody_knows_is_no_fault_of_glue(glue_url: str) -> None:
    with pytest.raises(ValueError, match="expected the UUID of a schema version"):
        take_apart(registry(glue_url), UNKNOWN)


def test_a_registry_that_is_not_there(glue_url: str, topic: str) -> None:
    with pytest.raises(SchemaRegistryError, match=r"registry missing: schema .*EntityNotFound"):
        enter(registry(glue_url, registry_name="missing"), SIZE, topic)
    with pytest.raises(SchemaRegistryError, match="create it, or set `registry_name`"):
        check(registry(glue_url, registry_name="missing"))


def test_the_doctor_is_told_of_the_registry(glue_url: str, name: str) -> None:
    assert check(registry(glue_url, registry_name=name), ["line_a.event"]).findings == [
        f"Glue registry {name}: is there",
        "schemas are called line_a.event-despatch.…",
    ]


def test_glue_out_of_reach_is_passing(aws_credentials: None, topic: str) -> None:
    away = "http://127.0.0.1:9"
    for attempt in (
        lambda: enter(registry(away), SIZE, topic),
        lambda: take_apart(registry(away), UNKNOWN),
        lambda: check(registry(away)),
    ):
        with pytest.raises(SchemaRegistryError, match="Could not connect"):
            attempt()


def test_without_a_region_boto3_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(SchemaRegistryError, match="You must specify a region"):
        check(registry("http://127.0.0.1:9", region=None))


def glue_error(code: str) -> bytes:
    return json.dumps({"__type": code, "message": "no"}).encode()


def test_credentials_that_are_refused_are_told_and_not_shown(anything_server: Any) -> None:
    url = anything_server(400, glue_error("AccessDeniedException"))
    keys = {"access_key_id": "AKIA5", "secret_access_key": "hunter2", "session_token": "tok3n"}
    for attempt in (
        lambda: enter(registry(url, **keys), SIZE, "t"),
        lambda: take_apart(registry(url, **keys), UNKNOWN),
        lambda: check(registry(url, **keys)),
    ):
        with pytest.raises(SchemaRegistryError, match=r"AccessDenied.*see the cred") as caught:
            attempt()
        assert not any(secret in str(caught.value) for secret in keys.values())


VERSION = {"SchemaVersionId": str(UUID(int=5))}


def test_a_version_that_stays_pending_is_not_waited_for_for_ever(anything_server: Any) -> None:
    url = anything_server(200, json.dumps({**VERSION, "Status": "PENDING"}).encode())
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    with pytest.raises(SchemaRegistryError, match=r"still pending after 0\.3 s"):
        enter(registry(url, timeout="300ms", **keys), SIZE, "t")


def test_a_version_that_fails_is_refused(anything_server: Any) -> None:
    url = anything_server(200, json.dumps({**VERSION, "Status": "FAILURE"}).encode())
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    with pytest.raises(SchemaRegistryError, match="status is FAILURE: is it compatible"):
        enter(registry(url, **keys), SIZE, "t")


def test_a_schema_of_another_format_is_refused(anything_server: Any) -> None:
    answer = {**VERSION, "Status": "AVAILABLE", "DataFormat": "JSON", "SchemaDefinition": "{}"}
    url = anything_server(200, json.dumps(answer).encode())
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    with pytest.raises(ValueError, match="expected a schema of format AVRO, got JSON"):
        take_apart(registry(url, **keys), UNKNOWN)
