from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from despatch_connector_redis import RedisEgressSettings, RedisIngressSettings
from despatch_connector_redis.settings import connect

PASSWORD = "hunter2"


def egress(url: str, **settings: Any) -> RedisEgressSettings:
    return RedisEgressSettings.model_validate({"url": url, **settings})


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/3",
        "redis://user:p%23ss@localhost/0",
        "rediss://localhost",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_urls_are_those_that_the_client_reads(url: str) -> None:
    assert egress(url).url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        f"http://:{PASSWORD}@localhost",
        f"redis://:{PASSWORD}#x@localhost",
        f"redis://:x#{PASSWORD}@localhost",
        f"redis://localhost:{PASSWORD}",
        f"redis://:{PASSWORD}@localhost:99999",
        f"redis://:{PASSWORD}@localhost/lines",
        f"redis://:{PASSWORD}@localhost?db=x",
        f"redis://:{PASSWORD}@localhost?no_such_option=1",
        f"redis://:{PASSWORD}@[localhost",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        egress(url)
    assert PASSWORD not in str(caught.value)
    assert all(PASSWORD not in error["msg"] for error in caught.value.errors())
    assert caught.value.__cause__ is None
    assert "expected a URL such as redis://" in str(caught.value)


def test_the_password_is_not_shown() -> None:
    settings = egress(f"redis://:{PASSWORD}@localhost")
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_the_shape_of_replies_is_not_the_urls_to_choose() -> None:
    client = connect(egress("redis://localhost?protocol=3&decode_responses=true", socket_timeout=2))
    options = client.connection_pool.connection_kwargs
    assert options["protocol"] == 2
    assert options["decode_responses"] is False
    assert options["socket_timeout"] == 2.0
    asyncio.run(client.aclose())


def test_defaults_lose_nothing() -> None:
    out = egress("redis://localhost")
    assert (out.stream.text, out.maxlen) == ("{sim}.{stream_type}", None)
    into = RedisIngressSettings.model_validate({"url": "redis://localhost", "stream": "s"})
    assert (into.group, into.consumer, into.start) == (None, "despatch", "0")
    assert into.claim_idle == timedelta(seconds=60)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream": "{nonsense}"},
        {"maxlen": 0},
        {"socket_timeout": "0s"},
        {"connect_timeout": "soon"},
        {"strem": "x"},
    ],
)
def test_egress_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        egress("redis://localhost", **wrong)


@pytest.mark.parametrize(
    "wrong", [{"stream": ""}, {"group": ""}, {"consumer": ""}, {"start": "5-0"}, {"claim_idle": -1}]
)
def test_ingress_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedisIngressSettings.model_validate({"url": "redis://localhost", "stream": "s", **wrong})
