from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from despatch_connector_kafka import KafkaEgressSettings, KafkaIngressSettings, settings


def egress(**given: Any) -> KafkaEgressSettings:
    return KafkaEgressSettings.model_validate({"bootstrap_servers": "kafka-1", **given})


def ingress(**given: Any) -> KafkaIngressSettings:
    return KafkaIngressSettings.model_validate(
        {"bootstrap_servers": "kafka-1", "topic": "line_a.commands", **given}
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("kafka-1", ("kafka-1:9092",)),
        ("kafka-1:9093, kafka-2", ("kafka-1:9093", "kafka-2:9092")),
        (["10.0.0.1:1", "kafka.example.com"], ("10.0.0.1:1", "kafka.example.com:9092")),
        ("[::1]:9094,[fe80::1]", ("[::1]:9094", "[fe80::1]:9092")),
    ],
)
def test_servers_are_text_or_a_list(given: Any, expected: tuple[str, ...]) -> None:
    assert egress(bootstrap_servers=given).bootstrap_servers == expected


@pytest.mark.parametrize(
    "given", ["", ",", "kafka:0", "kafka:65536", "kafka:x", "kafka://k:1", "a:1:2", "::1", []]
)
def test_what_is_no_server_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        egress(bootstrap_servers=given)
    assert "host:port" in str(caught.value) or "at least 1 item" in str(caught.value)


def test_defaults_lose_nothing() -> None:
    out = egress()
    assert (out.topic.text, out.timestamp, out.compression) == (
        "{sim}.{stream_type}",
        "delivery",
        "none",
    )
    assert out.create_topics is None
    # The sink's own timeout is 30 s, and its reason would say less.
    assert out.delivery_timeout < timedelta(seconds=30)
    assert out.request_timeout < out.delivery_timeout
    into = ingress()
    assert (into.topic, into.group, into.start) == (("line_a.commands",), None, "earliest")


def test_topics_to_read_are_one_or_several() -> None:
    assert ingress(topic="a, b").topic == ("a", "b")
    assert ingress(topic=["a"]).topic == ("a",)


def test_settings_can_be_written_and_read_again() -> None:
    for given in (egress(bootstrap_servers="a,b"), ingress(topic="a,b", request_timeout="3s")):
        assert type(given).model_validate(given.model_dump(mode="json")) == given


def test_the_schema_says_that_lists_may_be_text() -> None:
    schema = KafkaIngressSettings.model_json_schema()
    for name in ("bootstrap_servers", "topic"):
        kinds = [each["type"] for each in schema["properties"][name]["anyOf"]]
        assert kinds == ["string", "array"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "{nonsense}"},
        {"topic": ""},
        {"topic": "lines/{sim}"},
        {"timestamp": "wall"},
        {"compression": "brotli"},
        {"max_batch_bytes": 10},
        {"delivery_timeout": "0s"},
        {"create_topics": {}},
        {"create_topics": {"partitions": 0, "replication_factor": 1}},
        {"create_topics": {"partitions": 1, "replication_factor": 1, "retention": "1d"}},
        {"acks": 1},
    ],
)
def test_egress_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        egress(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"topic": "a/b"}, {"topic": []}, {"topic": "."}, {"group": ""}, {"start": "0"}],
)
def test_ingress_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ingress(**wrong)


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "snappy", "zstd"])
def test_compressions_whose_library_is_installed_are_taken(compression: str) -> None:
    assert egress(compression=compression).compression == compression


def test_a_compression_without_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(settings._LIBRARY_FOR, "zstd", lambda: False)
    with pytest.raises(ValidationError, match=r'pip install "despatch-connector-kafka\[compres'):
        egress(compression="zstd")
