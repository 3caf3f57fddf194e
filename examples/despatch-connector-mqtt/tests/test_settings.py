from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from despatch_connector_mqtt import MqttEgressSettings, MqttIngressSettings


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://broker", "broker", 1883),
        ("mqtts://broker", "broker", 8883),
        ("mqtt://127.0.0.1:18830/", "127.0.0.1", 18830),
        ("mqtt://[::1]:99", "::1", 99),
    ],
)
def test_a_url_names_host_and_port(url, host, port):
    settings = MqttEgressSettings(url=url)
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"url": "http://broker"}, "mqtt://host:port"),
        ({"url": "mqtt://"}, "mqtt://host:port"),
        ({"url": "mqtt://broker:port"}, "mqtt://host:port"),
        ({"url": "mqtt://broker/path"}, "mqtt://host:port"),
        ({"url": "mqtt://me:hidden@broker"}, "username and password are settings"),
        ({"password": "hidden"}, "a username beside the password"),
        ({"tls": {"ca": "ca.pem"}}, "mqtts:// beside tls"),
        ({"url": "mqtts://b", "tls": {"key": "key.pem"}}, "a certificate beside its key"),
        ({"keepalive": "1500ms"}, "whole seconds"),
        ({"keepalive": "20h"}, "at most 65535s"),
        ({"keepalive": 0}, "more than 0s"),
        ({"topic": "a/+/{key}"}, "a topic with a wildcard"),
        ({"topic": "{no_such}"}, "unknown placeholder"),
        ({"expiry": "100ms"}, "whole seconds"),
        ({"max_packet_bytes": 0}, "greater than 0"),
        ({"topik": "a"}, "Extra inputs"),
    ],
)
def test_a_mistake_in_the_egress_says_what_was_expected(given, expected):
    with pytest.raises(ValidationError, match=expected) as refused:
        MqttEgressSettings.model_validate(given)
    assert all("hidden" not in error["msg"] for error in refused.value.errors())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "Field required"),
        ({"topic": "a/#/b"}, "a # that is not"),
        ({"topic": "$share/g"}, "a filter that is empty"),
        ({"topic": "a", "client_id": ""}, "at least 1 character"),
        ({"topic": "a", "receive_maximum": 0}, "greater than or equal to 1"),
        ({"topic": "a", "session_expiry": "0.5s"}, "whole seconds"),
    ],
)
def test_a_mistake_in_the_ingress_says_what_was_expected(given, expected):
    with pytest.raises(ValidationError, match=expected):
        MqttIngressSettings.model_validate(given)


def test_settings_go_through_json():
    given = MqttEgressSettings.model_validate({"topic": "{sim}/x", "expiry": "1h"})
    again = MqttEgressSettings.model_validate_json(given.model_dump_json())
    assert again == given
    assert again.expiry == timedelta(hours=1)


def test_a_secret_is_not_shown():
    settings = MqttEgressSettings.model_validate(
        {
            "url": "mqtts://broker",
            "username": "me",
            "password": "sesame-1",
            "tls": {"certificate": "c.pem", "key_password": "sesame-2"},
        }
    )
    assert "sesame" not in f"{settings!r} {settings} {settings.model_dump_json()}"
