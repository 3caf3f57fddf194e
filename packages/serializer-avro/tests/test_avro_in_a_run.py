"""The serializer where it is used: in a run, in a settings file, at the doctor's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import AwareDatetime, BaseModel, ConfigDict

from despatch import Run, SimParameter
from despatch.commands import Change, Command, Outcome
from despatch.doctor import examine
from despatch.errors import SettingsError
from despatch.interfaces import (
    CAUGHT_UP,
    Batch,
    EgressConnector,
    Guarantee,
    IngressConnector,
    Receipt,
)
from despatch.interfaces.ingress import CaughtUp
from despatch.records import Record
from despatch.settings import Settings
from despatch.settings.file import load_settings
from despatch_serializer_avro import AvroSerializer, AvroSettings, schema_of
from services import RegistryServer, running

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class NoSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shelf(EgressConnector):
    """Keeps the payloads of each target."""

    Settings: ClassVar[type[BaseModel]] = NoSettings
    guarantee: ClassVar[Guarantee] = Guarantee.AT_LEAST_ONCE

    def __init__(self, topic: str) -> None:
        super().__init__(NoSettings())
        self.topic = topic
        self.payloads: list[tuple[str, bytes]] = []
        self.openings = 0

    async def open(self) -> None:
        self.openings += 1

    async def deliver(self, batch: Batch) -> Receipt:
        self.payloads += zip(batch.targets, batch.payloads, strict=True)
        return Receipt()

    async def close(self) -> None: ...

    def target(self, record: Record) -> str:
        return f"{self.topic}.{record.stream_type}"


class Letters(IngressConnector):
    """Brings messages, once, and keeps their outcomes."""

    Settings: ClassVar[type[BaseModel]] = NoSettings
    brings_backlog: ClassVar[bool] = True

    def __init__(self, messages: list[bytes]) -> None:
        super().__init__(NoSettings(), simulation="line_a")
        self.messages = messages
        self.outcomes: list[Outcome] = []

    async def open(self) -> None: ...

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        for number, message in enumerate(self.messages):
            yield await self.parse(message, id=str(number))
        yield CAUGHT_UP

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def close(self) -> None: ...


class Done(BaseModel):
    price: Decimal
    at: AwareDatetime
    steps: list[int]


@dataclass
class SetCapacity:
    path: str
    value: int


class Lathe(SimParameter):
    capacity: int = 1


class Line(SimParameter):
    lathe: Lathe = Lathe()


def settings(tmp_path: Path, **given: Any) -> dict[str, Any]:
    return {
        "name": "line_a",
        "runs": tmp_path / "runs",
        "courier": {"host": "thread"},
        "clock": {"until": "100s"},
        **given,
    }


def build(env: Any) -> None:
    env.publish_event("part-1", Done(price=Decimal("1.50"), at=NOON, steps=[1]))
    env.publish_event("part-2", Done(price=Decimal("1.50"), at=NOON, steps=[2**63]))
    env.publish_event("part-3", {"status": "finished", "score": 0.5})
    env.publish_telemetry("lathe.utilization", 0.855)


def test_the_records_of_a_run_are_read_by_others(schema_registry_url: str, tmp_path: Path) -> None:
    shelf = Shelf(f"t{uuid4().hex}")
    serializer = {"name": "avro", "registry": {"url": schema_registry_url}}
    sink = {"connector": shelf, "name": "shelf", "serializer": serializer}
    with Run(settings(tmp_path, egress=[sink]), build) as run:
        run.env.run()
    (account,) = run.report.sinks
    assert (account.given, account.delivered, account.dead_lettered) == (4, 3, 1)
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        read = AvroDeserializer(client)
        found: list[Any] = [
            read(payload, SerializationContext(target, MessageField.VALUE))
            for target, payload in shelf.payloads
        ]
        subjects = [each for each in client.get_subjects() if each.startswith(shelf.topic)]
    assert set(subjects) == {
        f"{shelf.topic}.event-despatch.event.Done",
        f"{shelf.topic}.event-despatch.Event",
        f"{shelf.topic}.telemetry-despatch.Telemetry",
    }
    assert [each["value"] for each in found] == [
        {"price": "1.50", "at": NOON, "steps": [1]},
        {"status": "finished", "score": 0.5},
        0.855,
    ]
    assert [each["seq"] for each in found] == [0, 2, 3]
    assert found[2]["path_id"] == "lathe.utilization"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_registry_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    server = RegistryServer()
    with running(server):
        url = server.url
        server.stop()
        shelf = Shelf("t")
        sink = {
            "connector": shelf,
            "name": "shelf",
            "serializer": {"name": "avro", "registry": {"url": url}},
            "retry": {"initial": "10ms", "maximum": "50ms"},
        }
        with Run(settings(tmp_path, egress=[sink]), build) as run:
            run.env.run()
            wait_for(lambda: shelf.openings > 2)  # each failed attempt opens anew
            assert not shelf.payloads
            server.start()
        (account,) = run.report.sinks
        assert (account.delivered, account.dead_lettered, account.owed) == (3, 1, 0)
        assert len(shelf.payloads) == 3


def command(path: str, value: int) -> bytes:
    """A command as somebody writes it who has but Avro's specification."""

    def text(value: str) -> bytes:
        return bytes([2 * len(value)]) + value.encode()

    return text(path) + bytes([2 * value])


def test_commands_are_decoded(tmp_path: Path) -> None:
    fields = [{"name": "path", "type": "string"}, {"name": "value", "type": "long"}]
    file = tmp_path / "command.avsc"
    file.write_text(str({"type": "record", "name": "C", "fields": fields}).replace("'", '"'))
    letters = Letters([command("Line.lathe.capacity", 3), b"\xff", command("Line.no", 1)])
    serializer = {"name": "avro", "frame": "bare", "schema_file": str(file)}
    source = {"connector": letters, "name": "letters", "serializer": serializer}
    given = settings(tmp_path, ingress=[source])
    with Run(given, lambda env: env.registry.register("Line", Line())) as run:
        run.env.run()
    assert isinstance(letters.outcomes[0], Change)
    assert [(each.path, each.new) for each in letters.outcomes[0].updates] == [
        ("Line.lathe.capacity", 3)
    ]
    reasons = [getattr(each, "reason", "") for each in letters.outcomes[1:]]
    assert reasons[0].startswith("expected 1 bytes more")
    assert "Line.no" in reasons[1]


def test_the_doctor_asks_the_registry(schema_registry_url: str) -> None:
    def examined(url: str) -> Any:
        serializer = {"name": "avro", "registry": {"url": url, "timeout": "2s"}}
        sink = {"connector": Shelf("line_a"), "name": "shelf", "serializer": serializer}
        given = {"name": "line_a", "courier": {"host": "thread"}, "egress": [sink]}
        (found,) = asyncio.run(examine(Settings.model_validate(given)))
        return found

    found = examined(schema_registry_url)
    assert found.is_in_order, found.fault
    assert found.findings[0].startswith(f"schema registry {schema_registry_url}: ")
    assert len(found.findings) >= 3
    away = examined("http://127.0.0.1:9")
    assert "schema registry http://127.0.0.1:9" in away.fault
    assert "out of reach" in away.fault


@pytest.mark.parametrize(
    ("serializer", "said"),
    [
        ("{name: avro, registry: {url: registry}}", "serializer.registry.url: expected a URL such"),
        ("{name: avro, registri: {}}", "serializer.registri: unknown setting: did you mean"),
        ("{name: avro, registry: {url: 'http://r', schema: next}}", "serializer.registry.schema"),
        ("{name: avro, schema_file: a.avsc}", "expected no `schema_file` without `frame: bare`"),
    ],
)
def test_a_settings_file_is_told_where_it_is_wrong(
    tmp_path: Path, serializer: str, said: str
) -> None:
    file = tmp_path / "line_a.yaml"
    file.write_text(
        "name: line_a\nmodel: somewhere:build\negress:\n"
        f"  - connector: redis\n    url: redis://localhost\n    serializer: {serializer}\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert said in str(caught.value)
    assert "line_a.yaml:6" in str(caught.value)


def test_a_record_as_it_is_documented() -> None:
    assert schema_of(SetCapacity)["fields"][4]["type"]["fields"] == [
        {"name": "path", "type": "string"},
        {"name": "value", "type": "long"},
    ]
    assert AvroSerializer(AvroSettings()).settings == AvroSettings()
