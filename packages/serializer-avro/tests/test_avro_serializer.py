"""The serializer as a whole, read and written by others: Confluent's client, and fastavro."""

from __future__ import annotations

import asyncio
import enum
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import fastavro
import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.avro import AvroSerializer as ConfluentSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import AwareDatetime, BaseModel, Field

from despatch.commands import Command
from despatch.interfaces import Shape, Unencodable
from despatch.records import Event, Record
from despatch.value_types import FieldType, ValueType, value_type_of
from despatch.values import pack, unpack
from despatch_serializer_avro import AvroSerializer, AvroSettings, SchemaRegistryError, schema_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
COMMAND = {
    "type": "record",
    "name": "Command",
    "fields": [
        {"name": "path", "type": "string"},
        {"name": "value", "type": ["long", "double", "boolean", "string"]},
        {"name": "id", "type": ["null", "string"], "default": None},
        {"name": "at", "type": ["null", "double"], "default": None},
    ],
}
UPDATES = {
    "type": "record",
    "name": "Updates",
    "fields": [{"name": "updates", "type": {"type": "map", "values": ["long", "double"]}}],
}


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Spot(BaseModel):
    x: float
    y: float


class Done(BaseModel):
    part: UUID
    price: Decimal = Field(max_digits=9, decimal_places=2)
    weight: Decimal
    at: AwareDatetime
    seen: datetime
    due: date
    shift: time
    took: timedelta
    colour: Colour
    spot: Spot
    before: Spot | None
    steps: list[int]
    by_machine: dict[str, float]
    by_line: dict[int, str]
    result: int | str | None
    raw: bytes
    pair: tuple[int, str]


DONE = Done(
    part=UUID(int=5),
    price=Decimal("12.50"),
    weight=Decimal("1.2345678901234567890"),
    at=NOON,
    seen=NOON,
    due=date(2026, 2, 1),
    shift=time(6, 30, 0, 5),
    took=timedelta(seconds=1.5),
    colour=Colour.BLUE,
    spot=Spot(x=1.5, y=-2),
    before=None,
    steps=[1, 2],
    by_machine={"lathe": 0.5},
    by_line={7: "a"},
    result="fine",
    raw=b"\x00\xff",
    pair=(1, "a"),
)
READ_BY_OTHERS = {
    "part": UUID(int=5),
    "price": Decimal("12.50"),
    "weight": "1.2345678901234567890",
    "at": NOON,
    "seen": NOON,
    "due": date(2026, 2, 1),
    "shift": time(6, 30, 0, 5),
    "took": 1_500_000,
    "colour": "blue",
    "spot": {"x": 1.5, "y": -2.0},
    "before": None,
    "steps": [1, 2],
    "by_machine": {"lathe": 0.5},
    "by_line": [{"key": 7, "value": "a"}],
    "result": "fine",
    "raw": b"\x00\xff",
    "pair": {"_0": 1, "_1": "a"},
}


def serializer(**settings: Any) -> AvroSerializer:
    return AvroSerializer(AvroSettings.model_validate(settings))


def event(value: Any, seq: int = 0) -> Record:
    name = type(value).__name__ if isinstance(value, BaseModel) else None
    published = unpack(pack(value))
    return Event("line_a", "part-17", name, published, 125.5, NOON.isoformat(), "0198c0", seq, seq)


def shape(value: Any) -> Shape:
    return Shape("event", value_type_of(type(value)) if isinstance(value, BaseModel) else None)


def encode(
    serializer: AvroSerializer, values: Sequence[Any], target: str
) -> Sequence[bytes | Unencodable]:
    async def run() -> Sequence[bytes | Unencodable]:
        try:
            shapes = {type(value): shape(value) for value in values}
            await serializer.prepare(list(shapes.values()), target)
        finally:
            await serializer.close()
        return serializer.encode([event(value, i) for i, value in enumerate(values)], target)

    return asyncio.run(run())


def decode(serializer: AvroSerializer, payload: bytes) -> Any:
    async def run() -> Any:
        try:
            return await serializer.decode(payload)
        finally:
            await serializer.close()

    return asyncio.run(run())


@pytest.fixture
def client(schema_registry_url: str) -> Iterator[SchemaRegistryClient]:
    """Confluent's own client."""
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        yield client


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


def is_same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def test_confluents_client_reads_what_is_written(
    schema_registry_url: str, client: SchemaRegistryClient, topic: str
) -> None:
    payloads = encode(serializer(registry={"url": schema_registry_url}), [DONE, {"a": [1]}], topic)
    reader = AvroDeserializer(client)
    context = SerializationContext(topic, MessageField.VALUE)
    done, untyped = (reader(payload, context) for payload in payloads)
    assert done["value"] == READ_BY_OTHERS
    for name, value in READ_BY_OTHERS.items():
        assert is_same(done["value"][name], value), name
    assert is_same(done["timestamp"], NOON)
    assert (done["stream_type"], done["sim"], done["key"]) == ("event", "line_a", "part-17")
    assert (done["type"], done["seq"], done["run_id"]) == ("Done", 0, "0198c0")
    assert untyped["value"] == {"a": {"json": "[1]"}}
    assert untyped["type"] is None


def test_a_command_of_confluents_client_is_decoded(
    schema_registry_url: str, client: SchemaRegistryClient, topic: str
) -> None:
    config = {"subject.name.strategy": topic_subject_name_strategy}
    context = SerializationContext(topic, MessageField.VALUE)
    write = ConfluentSerializer(client, json.dumps(COMMAND), conf=config)
    payload = write({"path": "Line_A.lathe.capacity", "value": 3, "at": 3600.0}, context)
    fields = decode(serializer(registry={"url": schema_registry_url}), payload)
    assert fields == {"path": "Line_A.lathe.capacity", "value": 3, "id": None, "at": 3600.0}
    command = Command.parse(fields)
    assert (command.updates, command.at) == ({"Line_A.lathe.capacity": 3}, 3600.0)
    write = ConfluentSerializer(client, json.dumps(UPDATES), conf=config)
    context = SerializationContext(f"{topic}-updates", MessageField.VALUE)
    payload = write({"updates": {"a.b": 3, "a.c": 1.5}}, context)
    fields = decode(serializer(registry={"url": schema_registry_url}), payload)
    assert Command.parse(fields).updates == {"a.b": 3, "a.c": 1.5}


def test_by_the_latest_schema_others_read_its_defaults(
    schema_registry_url: str, client: SchemaRegistryClient, topic: str
) -> None:
    encode(serializer(registry={"url": schema_registry_url}), [DONE], topic)
    subject = f"{topic}-despatch.event.Done"
    wider = schema_of(Done)
    wider["fields"].append({"name": "site", "type": "string", "default": "Ulm"})
    client.register_schema(subject, Schema(json.dumps(wider), "AVRO"))
    latest = serializer(registry={"url": schema_registry_url, "schema": "latest"})
    (payload,) = encode(latest, [DONE], topic)
    found = AvroDeserializer(client)(payload, SerializationContext(topic, MessageField.VALUE))
    assert found["site"] == "Ulm"
    assert found["value"] == READ_BY_OTHERS


def test_glue_is_written_and_read(glue_url: str, topic: str) -> None:
    settings = {"endpoint_url": glue_url, "region": "eu-central-1"}
    (payload,) = encode(serializer(glue=settings), [DONE], topic)
    (deflated,) = encode(serializer(glue={**settings, "compression": "zlib"}), [DONE], topic)
    assert isinstance(payload, bytes)
    assert isinstance(deflated, bytes)
    assert decode(serializer(glue=settings), payload) == decode(serializer(glue=settings), deflated)
    glue = boto3.client("glue", endpoint_url=glue_url, region_name="eu-central-1")
    version = glue.get_schema_version(SchemaVersionId=str(UUID(bytes=payload[2:18])))
    glue.close()
    schema = fastavro.parse_schema(json.loads(version["SchemaDefinition"]))
    found: Any = fastavro.schemaless_reader(io.BytesIO(payload[18:]), schema, None)
    assert found["value"] == READ_BY_OTHERS


def test_without_a_registry_a_folder_has_the_schemas(tmp_path: Path) -> None:
    (payload,) = encode(serializer(schemas=tmp_path), [DONE], "t")
    assert isinstance(payload, bytes)
    (file,) = tmp_path.glob("*.avsc")
    schema = fastavro.parse_schema(json.loads(file.read_text()))
    found: Any = fastavro.schemaless_reader(io.BytesIO(payload[10:]), schema, None)
    assert found["value"] == READ_BY_OTHERS
    message = decode(serializer(schemas=tmp_path), payload)
    assert message["value"] == unpack(pack(DONE))


def test_a_bare_datum_is_the_datum_alone(tmp_path: Path) -> None:
    (framed,) = encode(serializer(), [DONE], "t")
    (bare,) = encode(serializer(frame="bare"), [DONE], "t")
    assert isinstance(framed, bytes)
    assert framed[10:] == bare
    file = tmp_path / "done.avsc"
    file.write_text(json.dumps(schema_of(Done)))
    assert isinstance(bare, bytes)
    reading = serializer(frame="bare", schema_file=file)
    assert decode(reading, bare)["value"] == unpack(pack(DONE))


def test_one_record_that_does_not_fit_hinders_no_other() -> None:
    dear = DONE.model_copy(update={"price": Decimal("12345678.901")})
    long = DONE.model_copy(update={"steps": [1, 2**63]})
    payloads = encode(serializer(), [DONE, dear, long, DONE], "t")
    assert [type(payload) for payload in payloads] == [bytes, Unencodable, Unencodable, bytes]
    reasons = [payload.reason for payload in payloads if isinstance(payload, Unencodable)]
    assert reasons[0].startswith("value.price: expected a Decimal of at most 9 digits, 2 of them")
    assert reasons[1].startswith("value.steps[1]: expected an integer of at most 64 bits")


def test_what_is_prepared_stays_so_after_close() -> None:
    one = serializer()
    encode(one, [DONE], "t")
    asyncio.run(one.close())
    assert isinstance(one.encode([event(DONE)], "t")[0], bytes)


def test_a_type_that_changes_is_prepared_anew() -> None:
    one = serializer()
    for kind, value in (("int", 1), ("str", "a")):
        value_type = ValueType("Part", {}, (FieldType("size", kind),))  # type: ignore[arg-type]
        asyncio.run(one.prepare([Shape("event", value_type)], "t"))
        record = Event("s", "k", "Part", {"size": value}, 0.0, NOON.isoformat(), "r", 0, 0)
        assert isinstance(one.encode([record], "t")[0], bytes)


def test_a_retry_makes_the_same_bytes() -> None:
    values = [{"names": {f"part-{i}" for i in range(100)}}, DONE]
    assert encode(serializer(), values, "t") == encode(serializer(), values, "t")
    seeds = [in_another_process(seed) for seed in ("1", "2")]
    assert seeds[0] == seeds[1]


def in_another_process(seed: str) -> bytes:
    """A set's payload, where text has other hashes."""
    code = """
import asyncio, sys
from datetime import UTC, datetime
from despatch.interfaces import Shape
from despatch.records import Event
from despatch_serializer_avro import AvroSerializer, AvroSettings
one = AvroSerializer(AvroSettings())
asyncio.run(one.prepare([Shape("event")], "t"))
value = {"names": {f"part-{i}" for i in range(100)}, "deep": [[{"a", "b", "c"}]]}
record = Event("s", "k", None, value, 0.0, "2026-01-05T00:00:00.000000+00:00", "r", 0, 0)
sys.stdout.buffer.write(one.encode([record], "t")[0])
"""
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True, timeout=60
    )
    return done.stdout


def test_boto3_is_imported_only_for_glue() -> None:
    code = (
        "import sys, despatch_serializer_avro as avro\n"
        "avro.AvroSerializer(avro.AvroSettings())\n"
        "assert 'boto3' not in sys.modules\n"
        "avro.AvroSerializer(avro.AvroSettings(glue=avro.GlueSettings()))\n"
        "assert 'boto3' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_message_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.avsc"
    file.write_text('"long"')
    with pytest.raises(ValueError, match="expected a record or a map, got long"):
        decode(serializer(frame="bare", schema_file=file), b"\x02")


def test_a_registry_out_of_reach_is_passing() -> None:
    away = serializer(registry={"url": "http://127.0.0.1:9"})
    with pytest.raises(SchemaRegistryError):
        encode(away, [DONE], "t")
    with pytest.raises(SchemaRegistryError):
        decode(away, b"\x00\x00\x00\x00\x01")
    with pytest.raises(SchemaRegistryError):
        asyncio.run(away.check(["t"]))


def test_the_doctor_is_told() -> None:
    assert asyncio.run(serializer().check(["t"])).findings == []
