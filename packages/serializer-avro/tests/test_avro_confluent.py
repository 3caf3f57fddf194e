"""Against a registry; what it does not do by itself comes from a server that answers anything."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from despatch.interfaces import Health
from despatch_serializer_avro import ConfluentSettings, SchemaRegistryError
from despatch_serializer_avro.avro_schema import AvroSchema, SchemaError
from despatch_serializer_avro.confluent import ConfluentRegistry
from despatch_serializer_avro.registry import Entry
from services import RegistryServer, running

JSON = "application/vnd.schemaregistry.v1+json"
USER, PASSWORD = "reader", "hunter2"


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A registry that wants a user and a password."""
    with running(RegistryServer(auth=(USER, PASSWORD))) as server:
        yield server.url


def registry(url: str, **settings: Any) -> ConfluentRegistry:
    return ConfluentRegistry(ConfluentSettings.model_validate({"url": url, **settings}))


def schema(*fields: Any, name: str = "Part") -> AvroSchema:
    listed = [{"name": label, "type": node, **more} for label, node, more in fields]
    return AvroSchema.of(
        {"type": "record", "name": name, "namespace": "despatch.event", "fields": listed}
    )


SIZE = schema(("size", "long", {}))
SIZE_AND_NOTE = schema(("size", "long", {}), ("note", ["null", "string"], {"default": None}))
TEXT = schema(("size", "string", {}))


def enter(registry: ConfluentRegistry, schema: AvroSchema, target: str) -> Entry:
    async def run() -> Entry:
        try:
            return await registry.enter(schema, target)
        finally:
            await registry.close()

    return asyncio.run(run())


def take_apart(registry: ConfluentRegistry, payload: bytes) -> tuple[AvroSchema, bytes]:
    async def run() -> tuple[AvroSchema, bytes]:
        try:
            return await registry.take_apart(payload)
        finally:
            await registry.close()

    return asyncio.run(run())


def check(registry: ConfluentRegistry, targets: list[str]) -> Health:
    async def run() -> Health:
        try:
            return await registry.check(targets)
        finally:
            await registry.close()

    return asyncio.run(run())


def ask(url: str, path: str, body: Any = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}{path}", data=data, method=method, headers={"Content-Type": JSON}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_schema_is_registered_and_found_by_its_id(schema_registry_url: str, topic: str) -> None:
    entry = enter(registry(schema_registry_url), SIZE, topic)
    assert entry.schema is SIZE
    assert entry.frame.prefix[0] == 0
    schema_id = int.from_bytes(entry.frame.prefix[1:], "big")
    found = ask(schema_registry_url, f"/subjects/{topic}-despatch.event.Part/versions/latest")
    assert found["id"] == schema_id
    assert json.loads(found["schema"]) == json.loads(SIZE.text)
    read, datum = take_apart(registry(schema_registry_url), entry.frame.prefix + b"datum")
    assert (json.loads(read.text), datum) == (json.loads(SIZE.text), b"datum")


def test_registering_again_makes_no_version(schema_registry_url: str, topic: str) -> None:
    one = enter(registry(schema_registry_url), SIZE, topic)
    assert enter(registry(schema_registry_url), SIZE, topic).frame == one.frame
    assert ask(schema_registry_url, f"/subjects/{topic}-despatch.event.Part/versions") == [1]


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [
        ("topic", "{}-value"),
        ("record", "despatch.event.{}"),
        ("topic_record", "{0}-despatch.event.{0}"),
    ],
)
def test_the_subject_is_by_the_strategy(
    schema_registry_url: str, topic: str, strategy: str, subject: str
) -> None:
    enter(registry(schema_registry_url, subject=strategy), schema(name=topic), topic)
    assert ask(schema_registry_url, f"/subjects/{subject.format(topic)}/versions") == [1]


def test_a_topic_with_odd_characters_is_a_subject_all_the_same(schema_registry_url: str) -> None:
    target = f"line a/{uuid4().hex}:é"
    enter(registry(schema_registry_url, subject="topic"), SIZE, target)
    assert f"{target}-value" in ask(schema_registry_url, "/subjects")


def test_a_compatible_schema_is_a_new_version(schema_registry_url: str, topic: str) -> None:
    one = enter(registry(schema_registry_url), SIZE, topic)
    other = enter(registry(schema_registry_url), SIZE_AND_NOTE, topic)
    assert other.frame != one.frame


def test_an_incompatible_schema_is_refused_with_the_reason(
    schema_registry_url: str, topic: str
) -> None:
    enter(registry(schema_registry_url), SIZE, topic)
    with pytest.raises(SchemaRegistryError) as caught:
        enter(registry(schema_registry_url), TEXT, topic)
    said = str(caught.value)
    assert f"{schema_registry_url}: subject '{topic}-despatch.event.Part': HTTP 409" in said
    assert "incompatible" in said


def test_the_latest_version_is_encoded_by(schema_registry_url: str, topic: str) -> None:
    latest = enter(registry(schema_registry_url), SIZE_AND_NOTE, topic)
    entry = enter(registry(schema_registry_url, schema="latest"), SIZE, topic)
    assert entry.frame == latest.frame
    assert json.loads(entry.schema.text) == json.loads(SIZE_AND_NOTE.text)
    assert ask(schema_registry_url, f"/subjects/{topic}-despatch.event.Part/versions") == [1]


def test_a_latest_version_without_room_is_refused(schema_registry_url: str, topic: str) -> None:
    enter(registry(schema_registry_url), SIZE, topic)
    with pytest.raises(SchemaRegistryError, match=r"no room for .*: record: .* no field note"):
        enter(registry(schema_registry_url, schema="latest"), SIZE_AND_NOTE, topic)


def test_a_latest_version_that_is_not_there(schema_registry_url: str, topic: str) -> None:
    with pytest.raises(SchemaRegistryError, match=r"404.*40401.*register a schema there"):
        enter(registry(schema_registry_url, schema="latest"), SIZE, topic)


def test_a_user_logs_in(guarded: str, topic: str) -> None:
    login = {"username": USER, "password": PASSWORD}
    entry = enter(registry(guarded, **login), SIZE, topic)
    assert take_apart(registry(guarded, **login), entry.frame.prefix)[1] == b""
    assert check(registry(guarded, **login), []).findings


@pytest.mark.parametrize("login", [{}, {"username": USER, "password": "secret-but-wrong"}])
def test_a_user_who_may_not_log_in_is_told(guarded: str, login: Any, topic: str) -> None:
    for attempt in (
        lambda: enter(registry(guarded, **login), SIZE, topic),
        lambda: take_apart(registry(guarded, **login), b"\x00\x00\x00\x00\x01"),
        lambda: check(registry(guarded, **login), [topic]),
    ):
        with pytest.raises(SchemaRegistryError, match="401: it wants another") as caught:
            attempt()
        assert "secret-but-wrong" not in str(caught.value)


def test_a_registry_that_is_down_is_passing(topic: str) -> None:
    with running(RegistryServer()) as server:
        entry = enter(registry(server.url), SIZE, topic)
        known = registry(server.url)
        payload = entry.frame.prefix + b"datum"
        take_apart(known, payload)
        server.stop()
        for attempt in (
            lambda: enter(registry(server.url), SIZE, topic),
            lambda: take_apart(registry(server.url), payload),
            lambda: check(registry(server.url), []),
        ):
            with pytest.raises(SchemaRegistryError, match="out of reach"):
                attempt()
        # What was asked for lately is read all the same.
        assert take_apart(known, payload)[1] == b"datum"
        server.start()
        assert enter(registry(server.url), SIZE, topic).frame == entry.frame


def test_an_id_that_nobody_knows_is_no_fault_of_the_registry(schema_registry_url: str) -> None:
    with pytest.raises(ValueError, match=r"expected the id of a schema.*40403"):
        take_apart(registry(schema_registry_url), b"\x00\x7f\xff\xff\xff datum")


@pytest.mark.parametrize(
    ("payload", "got"), [(b"", "none"), (b"{}", "7b 7d"), (b"\x01\x00\x00\x00\x05a", "01 00")]
)
def test_another_frame_is_refused(payload: bytes, got: str) -> None:
    with pytest.raises(ValueError, match=f"expected Confluent's frame.*got {got}"):
        take_apart(registry("http://127.0.0.1:9"), payload)


def test_the_doctor_is_told_of_the_subjects(schema_registry_url: str, topic: str) -> None:
    def told(**settings: Any) -> Health:
        return check(registry(schema_registry_url, **settings), [topic])

    before = told()
    assert before.findings[0].startswith(f"schema registry {schema_registry_url}: ")
    assert before.findings[1] == f"no subject begins with {topic}-despatch. yet, they will be made"
    assert "waits until one is there" in told(schema="latest").warnings[0]
    enter(registry(schema_registry_url), SIZE, topic)
    assert told().findings[1] == f"subject {topic}-despatch.event.Part: BACKWARD"
    body = {"compatibility": "NONE"}
    ask(schema_registry_url, f"/config/{topic}-despatch.event.Part", body, "PUT")
    assert told().findings[1] == f"subject {topic}-despatch.event.Part: NONE"
    assert told(schema="latest").warnings == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"schema": '"long"', "schemaType": "JSON"}, "of type AVRO, got 'JSON'"),
        ({"schema": '"long"', "references": [{"name": "a"}]}, "stands alone"),
        ({"schema": 5}, "expected a schema as text"),
        ({"schema": "{"}, "expected a schema in JSON"),
        ([], "expected a schema as text"),
    ],
)
def test_a_schema_of_another_kind_is_refused(anything_server: Any, answer: Any, said: str) -> None:
    url = anything_server(200, json.dumps(answer).encode())
    with pytest.raises(SchemaError, match=said):
        take_apart(registry(url), b"\x00\x00\x00\x00\x05a")
    with pytest.raises(SchemaRegistryError, match=said):
        enter(registry(url, schema="latest"), SIZE, "t")


@pytest.mark.parametrize("answer", [{}, {"id": "5"}, {"id": -1}, {"id": 2**32}, []])
def test_an_id_that_is_none_is_refused(anything_server: Any, answer: Any) -> None:
    url = anything_server(200, json.dumps(answer).encode())
    with pytest.raises(SchemaRegistryError, match="expected a schema's id, got"):
        enter(registry(url), SIZE, "t")
