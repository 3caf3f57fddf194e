"""Sources of commands whose connection is lost: they are reached again, and no command is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import Field

from despatch import Run, SimParameter
from despatch.journal import JournalReader
from despatch.testing.proxy import Proxy
from faults.servers import Stands
from faults.sinks import KafkaSink, RedisSink
from processes import wait_until
from services import unique_name


class Desk(SimParameter):
    staff: int = Field(1, ge=0)


class Source:
    """A source of commands behind a proxy, and a way to put commands into it."""

    def __init__(self, settings: dict, put: Callable[[bytes], None], proxy: Proxy) -> None:
        self.settings = settings
        self.put = put
        self.proxy = proxy


@pytest.fixture
def source(kind: str, stands: Stands) -> Iterator[Source]:
    stand = stands.of(kind)
    name = unique_name("commands")
    if isinstance(stand.sink, RedisSink):
        settings = {
            "connector": "redis",
            "url": f"redis://127.0.0.1:{stand.proxy.port}/0",
            "stream": name,
            "connect_timeout": "500ms",
            "socket_timeout": "500ms",
        }
        with redis.Redis(port=stand.sink.reader_port) as client:
            yield Source(settings, lambda line: client.xadd(name, {"command": line}), stand.proxy)
        return
    assert isinstance(stand.sink, KafkaSink)
    servers = stand.sink.server.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()
    producer = Producer({"bootstrap.servers": servers})

    def put(line: bytes) -> None:
        producer.produce(name, line)
        assert producer.flush(30) == 0

    settings = {
        "connector": "kafka",
        "bootstrap_servers": stand.sink.bootstrap_servers,
        "topic": name,
        "request_timeout": "1s",
    }
    yield Source(settings, put, stand.proxy)


def applied(run: Run) -> list[int]:
    """The values that commands have set, in order, as the audit journal has them."""
    values = []
    with JournalReader(run.folder.audit) as reader:
        reader.finish()
        while (frame := reader.read()) is not None:
            for entry in frame.entries:
                if entry[3] is not None:
                    values += [update["new"] for update in entry[3]["updates"]]
    return values


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("redis", Proxy.refusing),
        ("redis", Proxy.stalling),
        ("redis", Proxy.half_open),
        ("kafka", Proxy.refusing),
        ("kafka", Proxy.half_open),
    ],
)
def test_a_source_whose_connection_is_lost_is_reached_again_and_each_command_applied_once(
    source: Source, tmp_path: Path, kind: str, fault
):
    def build(env):
        env.registry.register("Desk", Desk())

        def beats():
            while True:
                yield env.timeout(1)

        env.process(beats())

    settings = {
        "name": "desk",
        "runs": tmp_path / "runs",
        "clock": {"factor": 0.001},
        "ingress": [source.settings],
    }
    values = iter(range(2, 1000))
    sent: list[int] = []

    def send(count: int) -> None:
        for _ in range(count):
            sent.append(next(values))
            source.put(json.dumps({"path": "Desk.staff", "value": sent[-1]}).encode())

    with Run(settings, build) as run:

        def steps_until(is_so: Callable[[], bool], what: str) -> None:
            def step() -> bool:
                run.env.run(until=run.env.now + 10)
                return is_so()

            wait_until(step, what)

        send(10)
        steps_until(lambda: run.commands.applied >= 10, "ten commands")
        before = source.proxy.given_up
        with fault(source.proxy):
            send(10)
            if fault is Proxy.refusing:
                steps_until(lambda: state_of(run) == "retrying", "a lost connection")
            else:
                steps_until(lambda: source.proxy.given_up > before, "a lost connection")
        send(10)
        steps_until(lambda: run.commands.applied >= 30, "all commands")
    assert applied(run) == sent
    assert (run.commands.applied, run.commands.refused) == (30, 0)


def state_of(run: Run) -> str:
    (state,) = run._switchboard._reception._states.values()
    return state.state
