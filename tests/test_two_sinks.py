"""Two sinks on one simulation: each gets all, at its own pace, whatever becomes of the other."""

from __future__ import annotations

import json

import pytest
import redis
from confluent_kafka import Consumer, TopicPartition

from despatch import Run
from processes import wait_until
from services import KafkaServer, RedisServer

STREAM = "desk.event"
HALF = 500


class Sinks:
    """A Kafka topic and a Redis stream of one simulation, read as strangers read them."""

    def __init__(self, kafka: KafkaServer, server: RedisServer) -> None:
        self.kafka = kafka
        self.redis = server

    @property
    def settings(self):
        common = {"batch": {"records": 100, "interval": "50ms"}, "timeout": "3s"}
        retry = {"initial": "50ms", "maximum": "500ms"}
        created = {"partitions": 1, "replication_factor": 1}
        kafka = {"bootstrap_servers": self.kafka.bootstrap_servers, "create_topics": created}
        limits = {"request_timeout": "2s", "delivery_timeout": "2s"}
        return [
            {"connector": "kafka", **kafka, **limits, **common, "retry": retry},
            {"connector": "redis", "url": self.redis.url, **common, "retry": retry},
        ]

    def seqs(self, sink):
        """The positions that a sink has, in its order."""
        messages = self._messages() if sink == "kafka" else self._entries()
        return [json.loads(message)["seq"] for message in messages]

    def _entries(self):
        with redis.Redis.from_url(self.redis.url) as client:
            return [fields[b"record"] for _, fields in client.xrange(STREAM)]

    def _messages(self):
        options = {"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": "reader"}
        consumer = Consumer({**options, "enable.auto.commit": False})
        partition = TopicPartition(STREAM, 0, 0)
        try:
            topics = consumer.list_topics(STREAM, timeout=10).topics
            if topics[STREAM].error is not None:
                return []  # not made yet
            _, end = consumer.get_watermark_offsets(partition, timeout=10)
            consumer.assign([partition])
            messages = []
            while len(messages) < end:
                messages += consumer.consume(end - len(messages), timeout=1)
            return [message.value() for message in messages]
        finally:
            consumer.close()


@pytest.fixture
def sinks(kafka_server, redis_server):
    return Sinks(kafka_server, redis_server)


@pytest.mark.parametrize(("stopped", "other"), [("kafka", "redis"), ("redis", "kafka")])
def test_a_sink_that_has_stopped_holds_up_neither_the_other_nor_the_clock(
    sinks, tmp_path, stopped, other
):
    def build(env):
        def customers():
            for number in range(2 * HALF):
                env.publish_event(f"customer-{number}", {"number": number})
                yield env.timeout(1)

        env.process(customers())

    settings = {"name": "desk", "runs": tmp_path / "runs", "egress": sinks.settings}
    first_half, all_of_it = list(range(HALF)), list(range(2 * HALF))
    server = getattr(sinks, stopped)
    with Run(settings, build) as run:
        run.env.run(until=HALF - 0.5)
        for sink in (stopped, other):
            wait_until(lambda sink=sink: _reached(sinks, sink, HALF), f"the first half at {sink}")
        server.pause()
        try:
            # The clock goes on to its end, and the other sink gets everything.
            run.env.run()
            wait_until(lambda: _reached(sinks, other, 2 * HALF), f"the second half at {other}")
        finally:
            server.resume()
    assert run.report.exit_status == 0
    assert sinks.seqs(other) == all_of_it
    arrived = sinks.seqs(stopped)
    assert arrived[:HALF] == first_half
    # An attempt that was cut off may have arrived all the same; Redis tells, and Kafka does not.
    assert list(dict.fromkeys(arrived)) == all_of_it
    if stopped == "redis":
        assert arrived == all_of_it
    for account in run.report.sinks:
        assert (account.delivered, account.owed, account.dead_lettered) == (2 * HALF, 0, 0)


def _reached(sinks, sink, count):
    return len(set(sinks.seqs(sink))) >= count
