from __future__ import annotations

import socket
import ssl

import pytest
from aiokafka import errors

from despatch_connector_kafka.explanations import explain


def every_error() -> list[type[Exception]]:
    return [errors.KafkaError, *errors.kafka_errors.values()]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_without_a_text_gets_one(kind: type[Exception]) -> None:
    assert kind.__name__ in explain(kind())
    assert "\n" not in explain(kind())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.TopicAuthorizationFailedError("t"), "ACL"),
        (errors.UnknownTopicOrPartitionError(), "not there"),
        (errors.InvalidTimestampError(), "`timestamp: delivery`"),
        # aiokafka gives 13, which is Kafka's NETWORK_EXCEPTION, an older name.
        (errors.for_code(13)(), "disconnected"),
        (socket.gaierror(-2, "Name or service not known"), "no such host"),
        (ConnectionRefusedError(111, "Connect call failed"), "connection refused"),
        (ConnectionResetError(), "does security_protocol fit this port?"),
        (TimeoutError(), "no answer in time"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "is this port encrypted?"),
        (errors.KafkaConnectionError("Connection at a:1 closed"), "security_protocol"),
        (ValueError("several\nlines"), "several lines"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_an_operator_can_do_is_said(error: Exception, expected: str) -> None:
    assert expected in explain(error)
