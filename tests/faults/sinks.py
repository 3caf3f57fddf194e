"""The kinds of sinks: how a run is told of one, and what a stranger reads out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pyarrow.parquet
import redis
from confluent_kafka import Consumer, TopicPartition
from pyarrow.fs import FileSystem, LocalFileSystem, S3FileSystem

from despatch.interfaces import Guarantee
from despatch.plugins import Kind, Plugins
from despatch.testing import Arrival
from faults.line_server import LineServer
from faults.publishing import is_event
from services import KafkaServer, unique_name
from services.aws import CREDENTIALS

BATCH = {"records": 100, "interval": "20ms"}
RETRY = {"initial": "10ms", "maximum": "200ms"}


class Sink(ABC):
    """A sink of a run.

    Attributes:
        connector: The connector's name, and the sink's.
    """

    connector: ClassVar[str]

    @property
    def guarantee(self) -> Guarantee:
        """What the connector declares."""
        loaded: Guarantee = Plugins().load(Kind.EGRESS, self.connector).guarantee
        return loaded

    def wants(self, number: int) -> bool:
        """Whether its `select` names the model's record of that number."""
        return True

    def entry(self, **other: Any) -> dict[str, Any]:
        """The sink's entry in the settings, with short timeouts and waits."""
        entry = {"connector": self.connector, "batch": BATCH, "retry": RETRY}
        return {**entry, **self.own_settings(), **other}

    @abstractmethod
    def own_settings(self) -> dict[str, Any]:
        """The connector's own settings, and what they want of the core's."""

    @abstractmethod
    def contents(self) -> Iterable[Arrival]:
        """All that is in it, in the order in which a reader gets it."""

    def read_back(self, run_id: str) -> list[Arrival]:
        """What it has of a run, in the order in which a reader gets it."""
        return [arrival for arrival in self.contents() if arrival.run_id == run_id]


class JsonlSink(Sink):
    """A file for each run."""

    connector = "jsonl"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def own_settings(self) -> dict[str, Any]:
        return {"path": f"{self.folder}/{{run_id}}.jsonl"}

    def contents(self) -> Iterator[Arrival]:
        for path in sorted(self.folder.glob("*.jsonl")):
            # A last line that is not ended is being written, or was torn by a crash.
            yield from map(Arrival.from_json, path.read_bytes().split(b"\n")[:-1])


class FaultySink(Sink):
    """The connector `faulty` of the core's tests: a file, and faults of its own."""

    connector = "faulty"

    def __init__(self, path: Path, **faults: Any) -> None:
        self.path = path
        self.faults = faults

    def own_settings(self) -> dict[str, Any]:
        return {"path": str(self.path), **self.faults}

    def contents(self) -> Iterator[Arrival]:
        if self.path.exists():
            yield from map(Arrival.from_json, self.path.read_bytes().split(b"\n")[:-1])


class LinesSink(Sink):
    """The suite's own `LineServer`. It gets the events only."""

    connector = "lines"

    def __init__(self, server: LineServer, port: int) -> None:
        self.server = server
        self.port = port

    def wants(self, number: int) -> bool:
        return is_event(number)

    def own_settings(self) -> dict[str, Any]:
        return {"port": self.port, "timeout": "500ms", "select": {"stream_type": "event"}}

    def contents(self) -> Iterator[Arrival]:
        return map(Arrival.from_json, self.server.lines.copy())


class RedisSink(Sink):
    """A Redis stream.

    Args:
        port: Where the connector finds the server.
        reader_port: Where its reader does.
    """

    connector = "redis"

    def __init__(self, port: int, reader_port: int) -> None:
        self.port = port
        self.reader_port = reader_port
        self.stream = unique_name("faults")

    def own_settings(self) -> dict[str, Any]:
        url = f"redis://127.0.0.1:{self.port}/0"
        patience = {"connect_timeout": "500ms", "socket_timeout": "500ms", "timeout": "1s"}
        return {"url": url, "stream": self.stream, **patience}

    def contents(self) -> Iterator[Arrival]:
        with redis.Redis(port=self.reader_port, socket_timeout=30) as client:
            for _, fields in client.xrange(self.stream):
                yield Arrival.from_json(fields[b"record"])


class KafkaSink(Sink):
    """A Kafka topic of one partition.

    Args:
        bootstrap_servers: Where the connector finds the broker.
        server: The broker, for its reader.
    """

    connector = "kafka"

    def __init__(self, bootstrap_servers: str, server: KafkaServer) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.server = server
        self.topic = unique_name("faults")

    def own_settings(self) -> dict[str, Any]:
        created = {"partitions": 1, "replication_factor": 1}
        patience = {"request_timeout": "1s", "delivery_timeout": "1500ms", "timeout": "2s"}
        place = {"bootstrap_servers": self.bootstrap_servers, "topic": self.topic}
        return {**place, "create_topics": created, **patience}

    def contents(self) -> Iterator[Arrival]:
        options = {"bootstrap.servers": self.server.bootstrap_servers, "group.id": "reader"}
        consumer = Consumer({**options, "enable.auto.commit": False})
        partition = TopicPartition(self.topic, 0, 0)
        try:
            if consumer.list_topics(self.topic, timeout=30).topics[self.topic].error is not None:
                return  # not made yet
            _, end = consumer.get_watermark_offsets(partition, timeout=30)
            consumer.assign([partition])
            for _ in range(end):
                message = consumer.poll(30)
                assert message is not None, f"{self.topic} did not give its {end} messages"
                assert message.error() is None
                yield Arrival.from_json(message.value())
        finally:
            consumer.close()


class ParquetSink(Sink):
    """A data set of Parquet files. The order of a reader is that of the files' first records.

    Args:
        root: A local folder.
    """

    connector = "parquet"

    def __init__(self, root: str) -> None:
        self.root = root

    def own_settings(self) -> dict[str, Any]:
        return {"uri": self.root, "path": "{run_id}", "timeout": "1s"}

    def contents(self) -> Iterator[Arrival]:
        filesystem, root = self._place()
        columns = ["run_id", "seq", "sink_seq", "value"]
        files = []
        for path in self._paths(filesystem, root):
            with filesystem.open_input_file(path) as file:
                files.append(pyarrow.parquet.ParquetFile(file).read(columns).to_pylist())
        # One file for the events of a batch and one for its telemetry: as one again.
        for row in sorted((row for file in files for row in file), key=lambda row: row["seq"]):
            yield Arrival.from_json(row)
        for file in files:
            seqs = [row["seq"] for row in file]
            assert seqs == sorted(seqs), "a file's records are not in order"

    def _place(self) -> tuple[FileSystem, str]:
        return LocalFileSystem(), self.root

    def _paths(self, filesystem: FileSystem, root: str) -> list[str]:
        selector = pyarrow.fs.FileSelector(root, allow_not_found=True, recursive=True)
        paths = [info.path for info in filesystem.get_file_info(selector)]
        is_hidden = ("/_schemas", "/_unfinished")
        return [
            path
            for path in paths
            if path.endswith(".parquet") and not any(part in path for part in is_hidden)
        ]


class S3Sink(ParquetSink):
    """The same in a bucket of its own.

    Args:
        port: Where the connector finds the endpoint.
        reader_port: Where its reader does.
    """

    def __init__(self, port: int, reader_port: int) -> None:
        self.port = port
        self.reader_port = reader_port
        self.bucket = unique_name("faults")
        super().__init__(f"s3://{self.bucket}/lake")
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{reader_port}",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        client.create_bucket(Bucket=self.bucket)
        client.close()

    def own_settings(self) -> dict[str, Any]:
        return {
            **super().own_settings(),
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "region": CREDENTIALS["AWS_DEFAULT_REGION"],
            "access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }

    def _place(self) -> tuple[FileSystem, str]:
        filesystem = S3FileSystem(
            endpoint_override=f"http://127.0.0.1:{self.reader_port}",
            access_key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        return filesystem, f"{self.bucket}/lake"
