from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel

from despatch.doctor import examine
from despatch.interfaces import EgressConnector, Guarantee, Health, IngressConnector
from despatch.settings import Settings


class NoSettings(BaseModel):
    pass


class Sink(EgressConnector):
    """A sink that answers as it is told."""

    Settings = NoSettings
    guarantee = Guarantee.AT_LEAST_ONCE
    uses_serializer = False

    def __init__(self, answer=None, *, address="{sim}.{stream_type}"):
        super().__init__(NoSettings())
        self.answer = answer
        self.address = address
        self.calls = []

    def target(self, record):
        fields = {name: getattr(record, name) for name in record.__struct_fields__}
        return self.address.format(**fields, stream_type=record.stream_type)

    async def open(self):
        self.calls.append("open")

    async def deliver(self, batch):
        raise AssertionError("the doctor delivers nothing")

    async def close(self):
        self.calls.append("close")


class Examined(Sink):
    """A sink with a check of its own."""

    async def check(self, targets=()):
        self.calls.append(list(targets))
        if isinstance(self.answer, Exception):
            raise self.answer
        if callable(self.answer):
            await self.answer()
        return self.answer or Health()


class Source(IngressConnector):
    Settings = NoSettings

    def __init__(self, fault=None):
        super().__init__(NoSettings(), simulation="line_a")
        self.fault = fault
        self.calls = []

    async def open(self):
        self.calls.append("open")
        if self.fault is not None:
            raise self.fault

    async def commands(self):
        raise AssertionError("the doctor takes nothing")
        yield

    async def acknowledge(self, command, outcome):
        raise AssertionError("the doctor takes nothing")

    async def close(self):
        self.calls.append("close")


def examined(*, ingress=(), egress=()):
    settings = {"name": "line_a", "courier": {"host": "thread"}}
    settings |= {"ingress": list(ingress), "egress": list(egress)}
    return asyncio.run(examine(Settings.model_validate(settings)))


def test_sources_come_before_sinks_in_the_order_of_the_settings():
    found = examined(
        ingress=[{"connector": Source(), "name": "orders"}],
        egress=[{"connector": Sink(), "name": "lake"}, {"connector": Sink(), "name": "bus"}],
    )
    assert [(each.role, each.name) for each in found] == [
        ("source", "orders"),
        ("sink", "lake"),
        ("sink", "bus"),
    ]
    assert all(each.is_in_order for each in found)


def test_without_a_check_of_its_own_a_connector_is_opened_and_closed():
    sink, source = Sink(), Source()
    examined(ingress=[{"connector": source}], egress=[{"connector": sink}])
    assert sink.calls == source.calls == ["open", "close"]


def test_what_does_not_open_is_closed_and_its_reason_is_told():
    source = Source(ConnectionRefusedError("nobody listens at port 9"))
    (found,) = examined(ingress=[{"connector": source}])
    assert source.calls == ["open", "close"]
    assert not found.is_in_order
    assert found.fault == "ConnectionRefusedError: nobody listens at port 9"


def test_findings_and_warnings_of_the_check_are_told():
    health = Health(["server 7.0"], ["it may evict keys"])
    (found,) = examined(egress=[{"connector": Examined(health)}])
    assert found.is_in_order
    assert found.findings == ["server 7.0"]
    assert found.warnings == ["it may evict keys"]


def test_one_that_fails_hinders_no_other():
    fault = PermissionError("topic line_a.event: not authorised")
    bad, good = examined(egress=[{"connector": Examined(fault)}, {"connector": Examined()}])
    assert bad.fault == "PermissionError: topic line_a.event: not authorised"
    assert good.is_in_order


def test_one_that_does_not_answer_is_given_up_after_its_timeout():
    async def forever():
        await asyncio.Event().wait()

    (found,) = examined(egress=[{"connector": Examined(forever), "timeout": "50ms"}])
    assert found.fault.startswith("the live connector Examined gave no answer within 0.05 s: see")
    assert not found.has_answered


def test_a_connector_may_run_into_a_time_limit_of_its_own():
    (found,) = examined(egress=[{"connector": Examined(TimeoutError("no metadata in 3 s"))}])
    assert found.fault == "TimeoutError: no metadata in 3 s"


@pytest.mark.parametrize(
    ("address", "select", "targets"),
    [
        ("{sim}.{stream_type}", None, ["line_a.event", "line_a.telemetry"]),
        ("{sim}.{stream_type}", {"stream_type": "event"}, ["line_a.event"]),
        ("{sim}.{stream_type}", {"path": "Line_A.*"}, ["line_a.telemetry"]),
        ("{sim}", None, ["line_a"]),
        # Each record has a place of its own, or each run has: nothing can be said before.
        ("{sim}.{type}", None, []),
        ("{sim}.{run_id}", None, []),
        ("{sim}.{timestamp}", None, []),
    ],
)
def test_a_check_is_told_where_records_will_go_as_far_as_that_is_known(address, select, targets):
    sink = Examined(address=address)
    examined(egress=[{"connector": sink, **({} if select is None else {"select": select})}])
    assert sink.calls == [targets]


def test_a_plugin_that_is_not_there_is_a_finding_too():
    (found,) = examined(egress=[{"connector": "nowhere", "name": "far"}])
    assert (found.name, found.plugin) == ("far", "nowhere")
    assert "'nowhere' is not installed" in found.fault


SERIALIZER = """
from despatch.interfaces import Health, Serializer
from pydantic import BaseModel

class Settings(BaseModel):
    down: bool = False

class Registered(Serializer):
    Settings = Settings
    content_type = "text/plain"
    closed = []

    def encode(self, records, target):
        raise AssertionError("the doctor encodes nothing")

    async def decode(self, payload):
        raise AssertionError("the doctor decodes nothing")

    async def check(self, targets=()):
        if self.settings.down:
            raise ConnectionError("no registry")
        return Health([f"registry knows {', '.join(targets)}"])

    async def close(self):
        self.closed.append(self)
"""


@pytest.fixture
def registered(install):
    """A serializer that needs a registry, installed."""
    points = "[despatch.serializers]\nregistered = registered_serializer:Registered\n"
    install("despatch-serializer-x", points, modules={"registered_serializer": SERIALIZER})


class Encoded(Examined):
    uses_serializer = True


@pytest.mark.usefixtures("registered")
def test_the_serializer_of_a_sink_is_asked_too():
    health = Health(["broker is there"])
    sink = Encoded(health, address="{sim}")
    (found,) = examined(egress=[{"connector": sink, "serializer": "registered"}])
    assert found.plugin == "Encoded, registered"
    assert found.findings == ["broker is there", "registry knows line_a"]


@pytest.mark.usefixtures("registered")
def test_the_serializer_of_a_source_is_asked_too_and_closed():
    chosen = {"name": "registered", "down": True}
    (found,) = examined(ingress=[{"connector": Source(), "serializer": chosen}])
    assert found.fault == "ConnectionError: no registry"
    import registered_serializer

    assert len(registered_serializer.Registered.closed) == 1
