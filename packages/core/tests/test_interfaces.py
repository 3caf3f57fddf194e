from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel

from despatch.commands import LARGEST_MESSAGE_BYTES
from despatch.connectors.memory import MemoryEgress
from despatch.interfaces import Health, IngressConnector, Lines, Serializer


class NoSettings(BaseModel):
    pass


class Source(IngressConnector):
    Settings = NoSettings

    def __init__(self, serializer=None):
        super().__init__(NoSettings(), simulation="line_a")
        self.serializer = serializer

    async def open(self): ...

    async def commands(self):
        yield

    async def acknowledge(self, command, outcome): ...

    async def close(self): ...


class Equation(Serializer):
    """Reads ``path=value``."""

    Settings = NoSettings
    content_type = "text/plain"

    def __init__(self):
        super().__init__(NoSettings())
        self.decoded = 0

    def encode(self, records, target):
        return []

    async def decode(self, payload):
        self.decoded += 1
        if payload == b"unknown schema":
            raise ConnectionError("no registry")
        path, equals, value = payload.decode().partition("=")
        if not equals:
            raise ValueError(f"expected path=value, not {path!r}")
        return {"path": path, "value": value}


def parsed(source, message, **given):
    return asyncio.run(source.parse(message, **given))


def test_a_message_is_json_where_there_is_no_serializer():
    command = parsed(Source(), b'{"path": "Desk.staff", "value": 3}', id="1-0", handle="entry")
    assert command.updates == {"Desk.staff": 3}
    assert (command.id, command.handle) == ("1-0", "entry")


def test_a_message_is_decoded_by_the_serializer():
    command = parsed(Source(Equation()), b"Desk.staff=3", id="1-0", handle="entry")
    assert command.updates == {"Desk.staff": "3"}
    assert (command.id, command.handle) == ("1-0", "entry")


def test_what_the_serializer_cannot_decode_is_a_fault_and_can_be_acknowledged():
    command = parsed(Source(Equation()), b"close the desk", id="1-0", handle="entry")
    assert command.fault == "expected path=value, not 'close the desk'"
    assert (command.id, command.handle) == ("1-0", "entry")


def test_a_registry_that_is_down_is_no_fault_of_the_command():
    with pytest.raises(ConnectionError, match="no registry"):
        parsed(Source(Equation()), b"unknown schema")


def test_a_message_that_is_too_large_is_not_decoded_at_all():
    serializer = Equation()
    command = parsed(Source(serializer), b"x" * (LARGEST_MESSAGE_BYTES + 1), handle="entry")
    assert serializer.decoded == 0
    assert "at most 1048576 bytes" in command.fault
    assert command.handle == "entry"


def test_a_serializer_without_a_check_has_nothing_to_tell():
    assert asyncio.run(Equation().check(["line_a.event"])) == Health()


def test_a_connector_without_a_check_can_be_asked_all_the_same():
    sink = MemoryEgress(MemoryEgress.Settings())
    assert asyncio.run(sink.check(["line_a.event"])) == Health()


def test_lines_are_a_sequence_of_payloads():
    lines = Lines([b"a\n\nb\n", b"", b"c\r\n"], 4)
    payloads = [b"a", b"", b"b", b"c\r"]
    assert (list(lines), len(lines)) == (payloads, 4)
    assert [lines[index] for index in (0, 3, -1)] == [b"a", b"c\r", b"c\r"]
    assert lines[1:3] == payloads[1:3]
    with pytest.raises(IndexError):
        lines[4]
