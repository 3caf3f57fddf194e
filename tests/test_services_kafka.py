"""Kafka as the tests get it."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

import services
from services import KafkaServer, ServiceError, kafka

QUIET = {"log_level": 0}


def create(bootstrap, topic, **options):
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET, **options})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=30)


def write(bootstrap, topic, *values, within_s=30, **options):
    """Write the values and wait until all of them are confirmed."""
    failed = []
    settings = {"bootstrap.servers": bootstrap, "delivery.timeout.ms": within_s * 1000}
    producer = Producer({**settings, **QUIET, **options})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: error and failed.append(error))
    assert producer.flush(within_s + 30) == 0
    if failed:
        raise KafkaException(failed[0])


def read(bootstrap, topic, count):
    """The first so many values of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": services.unique_name("reader"),
            "auto.offset.reset": "earliest",
            **QUIET,
        }
    )
    consumer.subscribe([topic])
    try:
        messages = consumer.consume(count, timeout=60)
    finally:
        consumer.close()
    assert [message.error() for message in messages] == [None] * count
    return [message.value() for message in messages]


def test_a_shared_server_takes_records_and_gives_them_back(kafka_bootstrap):
    topic = services.unique_name("topic")
    create(kafka_bootstrap, topic)
    write(kafka_bootstrap, topic, b"one", b"two")

    assert read(kafka_bootstrap, topic, 2) == [b"one", b"two"]


def test_a_server_keeps_its_records_and_its_ports_when_killed_and_does_not_answer_when_frozen(
    kafka_server,
):
    bootstrap, topic = kafka_server.bootstrap_servers, services.unique_name("topic")
    create(bootstrap, topic)
    write(bootstrap, topic, b"before")

    kafka_server.kill()
    with pytest.raises(ConnectionRefusedError):
        kafka.metadata("127.0.0.1", kafka_server.port)
    kafka_server.start()
    assert kafka_server.bootstrap_servers == bootstrap
    write(bootstrap, topic, b"after")
    assert read(bootstrap, topic, 2) == [b"before", b"after"]

    kafka_server.pause()
    with pytest.raises(TimeoutError):
        kafka.metadata("127.0.0.1", kafka_server.port, timeout_s=0.2)
    kafka_server.resume()
    assert kafka.metadata("127.0.0.1", kafka_server.port).broker_ports == [kafka_server.port]


@pytest.fixture(scope="module")
def guarded():
    """A server that asks for a password and takes small messages."""
    server = KafkaServer(sasl=("ann", "s3cret"), settings={"message.max.bytes": "1000"})
    with services.running(server):
        create(server.bootstrap_servers, "guarded", **login("ann", "s3cret"))
        yield server


def login(user, password):
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password,
    }


def test_a_guarded_server_takes_records_from_its_user(guarded):
    write(guarded.bootstrap_servers, "guarded", b"mine", **login("ann", "s3cret"))

    # The listener without a password, which the server uses itself, has the same topics.
    assert read(f"127.0.0.1:{guarded.port}", "guarded", 1) == [b"mine"]


@pytest.mark.parametrize("given", [{}, login("ann", "wrong"), login("eve", "s3cret")])
def test_a_guarded_server_takes_none_from_others(guarded, given):
    with pytest.raises(KafkaException, match="_MSG_TIMED_OUT"):
        write(guarded.bootstrap_servers, "guarded", b"foreign", within_s=1, **given)


def test_a_topic_that_nobody_created_is_an_error(guarded):
    # The client would wait half a minute for a topic that may have been created just now.
    options = {**login("ann", "s3cret"), "topic.metadata.propagation.max.ms": 0}

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC"):
        write(guarded.bootstrap_servers, "nobodys", b"lost", **options)


def test_a_server_takes_settings_of_its_own(guarded):
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        write(guarded.bootstrap_servers, "guarded", b"." * 2000, **login("ann", "s3cret"))


def answering(content):
    """Answers one request with the bytes made of its port, and hangs up; the port to ask."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def answer():
        with listener, listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(content(port))

    threading.Thread(target=answer, daemon=True).start()
    return port


def cluster(*ports, controller):
    """A reply that names brokers and the controller."""
    names = [struct.pack(">ih4sih", 1, 4, b"host", port, -1) for port in ports]
    body = struct.pack(">ii", 0, len(ports)) + b"".join(names) + struct.pack(">ii", controller, 0)
    return struct.pack(">i", len(body)) + body


def test_metadata_names_the_brokers_and_the_controller():
    port = answering(lambda port: cluster(9092, 9093, controller=2))

    assert kafka.metadata("127.0.0.1", port) == ([9092, 9093], 2)


@pytest.mark.parametrize(
    ("content", "ready"),
    [
        (lambda port: cluster(port, controller=1), True),
        (lambda port: cluster(port, controller=-1), False),
        (lambda port: cluster(controller=1), False),
    ],
)
def test_a_server_is_ready_when_it_is_in_a_cluster_with_a_controller(content, ready):
    assert kafka.is_ready("127.0.0.1", answering(content)) == ready


def test_a_server_that_hangs_up_is_not_ready():
    with pytest.raises(ServiceError, match="closed the connection"):
        kafka.metadata("127.0.0.1", answering(lambda port: b""))
    assert not kafka.is_ready("127.0.0.1", answering(lambda port: b""))
