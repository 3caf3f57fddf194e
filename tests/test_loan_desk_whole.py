"""One real week at the loan desk over Kafka, a schema registry, Redis and S3, read by strangers.

Commands come from Kafka; what happens goes to Kafka as Avro, to Redis as JSON and to S3 as
Parquet. Confluent's client, redis-py and DuckDB read it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import boto3
import duckdb
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from processes import CommandLines, finish, outcomes_of, wait_until
from services import KafkaServer, MotoServer, RedisServer

LOAN_DESK = Path(__file__).parents[1] / "examples" / "loan_desk"
sys.path.insert(0, str(LOAN_DESK))

from channel import channel_of  # noqa: E402
from log import read_log  # noqa: E402
from roster import Roster, send  # noqa: E402
from staffing import heads_by_hour  # noqa: E402

SETTINGS = LOAN_DESK / "loan_desk_whole.yaml"
MONDAY = date(2011, 11, 14)
HOURS = 168
TOPICS = ("loan_desk.event", "loan_desk.telemetry")
STREAM, BUCKET = "loan_desk.events", "lake"
SLOW = 0.00004
"""Half a minute for the week, so that a broker can be away for ten seconds of it."""

pytestmark = pytest.mark.timeout(300)


class WholeDesk:
    """A loan desk with all its servers, in a folder."""

    def __init__(
        self,
        folder: Path,
        kafka: KafkaServer,
        server: RedisServer,
        registry: str,
        s3: MotoServer,
        log: Path,
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.redis = server
        self.registry = registry
        self.s3 = s3
        self._log = log
        self._week = read_log(log).window(MONDAY, MONDAY + timedelta(days=6))
        self.lines = CommandLines(
            folder,
            LOAN_DESK_LOG=str(log),
            LOAN_DESK_START=self._week.start.isoformat(),
            LOAN_DESK_UNTIL=f"{HOURS}h",
            LOAN_DESK_KAFKA=kafka.bootstrap_servers,
            LOAN_DESK_REDIS=server.url,
            LOAN_DESK_REGISTRY=registry,
            LOAN_DESK_LAKE=f"s3://{BUCKET}/loan_desk",
            AWS_ENDPOINT_URL=s3.url,
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",
            AWS_DEFAULT_REGION="us-east-1",
        )
        with self.bucket() as bucket:
            bucket.create()

    @contextlib.contextmanager
    def bucket(self):
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        store = boto3.resource("s3", endpoint_url=self.s3.url, region_name="us-east-1", **keys)
        yield store.Bucket(BUCKET)
        store.meta.client.close()

    def send_roster(self) -> None:
        """Leave the week's commands on the topic, each with its simulated time."""
        log = read_log(self._log)
        roster = Roster(heads_by_hour(log, self._week))
        ingress = {"connector": "kafka", "topic": "loan_desk.commands"}
        servers = {"bootstrap_servers": self.kafka.bootstrap_servers}
        asyncio.run(send(roster, channel_of({"ingress": [{**ingress, **servers}]}), 0.0))

    def start(self, factor=0.0):
        return self.lines.start("run", SETTINGS, "--factor", factor)

    @property
    def run_folder(self) -> Path:
        (folder,) = (self.folder / ".despatch").iterdir()
        return folder

    def report(self) -> dict:
        return json.loads((self.run_folder / "report.json").read_bytes())

    def from_kafka(self) -> list[dict]:
        """What Confluent's client makes of both topics."""
        consumer = Consumer({**self._reader("reader"), "enable.auto.commit": False})
        try:
            starts = [
                TopicPartition(topic, partition, 0)
                for topic in TOPICS
                for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions
            ]
            total = sum(_end_of(consumer, each) for each in starts)
            consumer.assign(starts)
            messages = []
            while len(messages) < total:
                messages += consumer.consume(total - len(messages), timeout=5)
        finally:
            consumer.close()
        with SchemaRegistryClient({"url": self.registry}) as registry:
            decode = AvroDeserializer(registry)
            return [_record_of(message, decode) for message in messages]

    def from_redis(self) -> list[dict]:
        """What redis-py finds in the stream."""
        with redis.Redis.from_url(self.redis.url) as client:
            return [json.loads(fields[b"record"]) for _, fields in client.xrange(STREAM)]

    def from_s3(self) -> duckdb.DuckDBPyConnection:
        """A database with the views `event` and `telemetry`, each over all of its files."""
        with self.bucket() as bucket:
            for found in bucket.objects.all():
                path = self.folder / BUCKET / found.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(found.get()["Body"].read())
        database = duckdb.connect()
        database.execute("SET TimeZone = 'UTC'")
        for stream in ("event", "telemetry"):
            files = f"{self.folder / BUCKET}/loan_desk/{stream}/**/*.parquet"
            database.execute(f"CREATE VIEW {stream} AS FROM read_parquet('{files}')")
        return database

    def arrived(self) -> int:
        """How many messages the topic of events has."""
        consumer = Consumer(self._reader("onlooker"))
        try:
            topic = consumer.list_topics(TOPICS[0], timeout=20).topics[TOPICS[0]]
            partitions = [TopicPartition(TOPICS[0], partition) for partition in topic.partitions]
            return sum(_end_of(consumer, each) for each in partitions)
        finally:
            consumer.close()

    def committed(self) -> int:
        """How far the run has acknowledged its commands."""
        consumer = Consumer(self._reader("loan_desk"))
        try:
            (found,) = consumer.committed([TopicPartition("loan_desk.commands", 0)], timeout=20)
        finally:
            consumer.close()
        return found.offset

    def _reader(self, group):
        return {"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": group}


def _end_of(consumer: Consumer, partition: TopicPartition) -> int:
    """How many messages a partition has, once a broker that has just started knows its role."""

    def bounds():
        try:
            return consumer.get_watermark_offsets(partition, timeout=20)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            return None

    return wait_until(bounds, f"the end of {partition}")[1]


def _record_of(message, decode) -> dict:
    assert message.error() is None
    context = SerializationContext(message.topic(), MessageField.VALUE)
    record = decode(message.value(), context)
    headers = {name: value.decode() for name, value in message.headers()}
    assert headers == {"run_id": record["run_id"], "seq": str(record["seq"])}
    assert message.key().decode() == record.get("key", record.get("path_id"))
    return record


@pytest.fixture
def desk(tmp_path, kafka_server, redis_server, schema_registry_url, moto_server, loan_desk_log):
    desk = WholeDesk(
        tmp_path, kafka_server, redis_server, schema_registry_url, moto_server, loan_desk_log
    )
    desk.send_roster()
    yield desk
    desk.lines.close()


def read_back(desk: WholeDesk, *, may_repeat: bool):
    """All that is in the three sinks: every record is there, and once unless Kafka may repeat."""
    report = desk.report()
    whole = list(range(report["published"]))
    assert len(whole) > 8_000
    accounts = {account["sink"]: account for account in report["sinks"]}
    assert set(accounts) == {"kafka", "redis", "parquet"}
    for account in accounts.values():
        assert (account["delivered"], account["owed"]) == (len(whole), 0)
        assert account["dead_lettered"] == 0
    messages, entries, database = desk.from_kafka(), desk.from_redis(), desk.from_s3()
    seqs = [message["seq"] for message in messages]
    assert sorted(set(seqs) if may_repeat else seqs) == whole
    assert [entry["seq"] for entry in entries] == whole
    rows = database.execute("SELECT seq FROM event UNION ALL SELECT seq FROM telemetry").fetchall()
    assert sorted(seq for (seq,) in rows) == whole
    return messages, entries, database


def hold_against_the_roster(desk: WholeDesk) -> None:
    """Every hour's command was applied once, and its offset committed."""
    changes = [outcome for outcome in outcomes_of(desk.run_folder) if outcome["type"] == "change"]
    ids = [change["id"][-4:] for change in changes if change["source"] == "kafka"]
    assert ids == [f"{hour:04}" for hour in range(HOURS)]
    assert desk.committed() == HOURS


def test_a_week_reaches_every_sink_and_keeps_its_types(desk):
    status, _, err = finish(desk.start())
    assert status == 0, err
    messages, entries, database = read_back(desk, may_repeat=False)
    hold_against_the_roster(desk)

    from_kafka = {message["seq"]: message for message in messages}
    # DuckDB's client needs pytz for times with a zone, so they come without, as UTC.
    rows = database.execute(
        "SELECT seq, timestamp AT TIME ZONE 'UTC', value.status, value.turn, value.is_call_back, "
        "value.due AT TIME ZONE 'UTC', value.loan.id, value.loan.amount, "
        "value.loan.applied AT TIME ZONE 'UTC' FROM event WHERE type = 'WorkItem' ORDER BY seq"
    ).fetchall()
    kinds = database.execute(
        "SELECT DISTINCT typeof(value.due), typeof(value.loan.id), typeof(value.loan.amount), "
        "typeof(value.turn), typeof(value.is_call_back) FROM event WHERE type = 'WorkItem'"
    ).fetchall()
    assert kinds == [("TIMESTAMP WITH TIME ZONE", "UUID", "DECIMAL(10,2)", "BIGINT", "BOOLEAN")]
    assert len(rows) > 8_000
    for seq, timestamp, status, turn, is_call_back, due, loan_id, amount, applied in rows:
        avro, text = from_kafka[seq]["value"], entries[seq]["value"]
        assert avro == {
            "status": status,
            "turn": turn,
            "is_call_back": is_call_back,
            "due": due.replace(tzinfo=UTC),
            "activity": text["activity"],
            "loan": {
                "id": loan_id,
                "case": text["loan"]["case"],
                "amount": amount,
                "applied": applied.replace(tzinfo=UTC),
            },
        }
        assert from_kafka[seq]["timestamp"] == timestamp.replace(tzinfo=UTC)
        assert type(avro["loan"]["amount"]) is Decimal
        assert type(avro["loan"]["id"]) is UUID
        assert type(avro["due"]) is datetime
        assert avro["due"].tzinfo is UTC
        assert Decimal(text["loan"]["amount"]) == amount
        assert UUID(text["loan"]["id"]) == loan_id
        assert datetime.fromisoformat(text["due"]) == avro["due"]


def test_a_broker_that_stops_for_ten_seconds_loses_nothing(desk):
    process = desk.start(SLOW)
    wait_until(lambda: desk.arrived(), "the first messages")
    desk.kafka.pause()
    before = len(desk.from_redis())
    time.sleep(10)  # the ten seconds of the fault itself
    # Nobody waits for the broker: neither the clock nor the other sinks.
    assert len(desk.from_redis()) > before
    desk.kafka.resume()
    status, _, err = finish(process)
    assert status == 0, err
    read_back(desk, may_repeat=True)
    hold_against_the_roster(desk)


def test_a_broker_that_is_killed_and_started_again_loses_nothing(desk):
    process = desk.start(SLOW)
    wait_until(lambda: desk.arrived(), "the first messages")
    desk.kafka.kill()
    before = len(desk.from_redis())
    wait_until(lambda: len(desk.from_redis()) > before, "records for Redis meanwhile")
    desk.kafka.start()
    status, _, err = finish(process)
    assert status == 0, err
    read_back(desk, may_repeat=True)
    hold_against_the_roster(desk)
