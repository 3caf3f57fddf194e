"""A whole run, with a broker that is restarted under it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from despatch_connector_mqtt import MqttIngress, MqttIngressSettings
from listeners import Stranger, user_properties

MODEL = """
from despatch import SimParameter


class Lathe(SimParameter):
    speed: int = 0


def build(env):
    env.registry.register("lathe", Lathe())
    env.process(make(env))


def make(env):
    for number in range(300):
        yield env.timeout(0.1)
        env.publish_event(f"part-{number % 5}", {"number": number})
    while env.registry["lathe.speed"] < 20:
        yield env.timeout(0.1)
    env.stop("the lathe is as fast as it gets")
"""
SETTINGS = """
name: line
model: line:build
clock: {{factor: 0.1}}
courier: {{grace: 60s}}
ingress:
  - {{connector: mqtt, url: "{url}", topic: commands}}
egress:
  - connector: mqtt
    url: "{url}"
    topic: "{{sim}}/{{key}}"
    batch: {{interval: 50ms}}
    retry: {{maximum: 200ms}}
"""


async def begin_session(url):
    """What comes from now on waits for the simulation."""
    settings = MqttIngressSettings(url=url, topic="commands")
    ingress = MqttIngress(settings, simulation="line")
    await ingress.open()
    await ingress.close()


@pytest.fixture
def running(tmp_path, broker):
    asyncio.run(begin_session(broker.url))
    (tmp_path / "line.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "line.yaml").write_text(SETTINGS.format(url=broker.url), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "despatch", "run", "line.yaml", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def tell(broker, speeds):
    with Stranger(broker.url) as stranger:
        for speed in speeds:
            told = {"path": "lathe.speed", "value": speed, "id": f"speed-{speed}"}
            stranger.publish("commands", json.dumps(told).encode())


def read(broker, is_enough):
    """Read in a session that the broker keeps, until it is enough."""
    messages = []
    with Stranger(broker.url, session="reader") as reader:
        reader.listen("line/#")
        while not is_enough(messages):
            messages += reader.heard(1)
    # They were acknowledged, too.
    return messages + reader.rest()


def seq_of(message):
    return int(user_properties(message)["seq"])


def test_a_broker_that_is_restarted_loses_nothing_and_has_nothing_applied_twice(broker, running):
    messages = read(broker, lambda messages: len(messages) >= 30)
    # The first may have been published before the reader had subscribed.
    expected = set(range(seq_of(messages[0]), 300))
    for restart in range(3):
        tell(broker, range(5 * restart + 1, 5 * restart + 6))
        broker.stop()
        broker.start()
        messages += read(broker, lambda messages: len(messages) >= 30)
    missing = expected - set(map(seq_of, messages))
    messages += read(broker, lambda messages: missing <= set(map(seq_of, messages)))
    tell(broker, range(16, 21))
    output, errors = running.communicate()
    assert running.returncode == 0, errors
    report = json.loads(output)
    assert (report["commands"]["applied"], report["commands"]["refused"]) == (20, 0)
    assert report["published"] == 300
    for topic in {each.topic for each in messages}:
        seqs = [seq_of(each) for each in messages if each.topic == topic]
        # But for what came again, in order.
        assert sorted(set(seqs)) == list(dict.fromkeys(seqs))
