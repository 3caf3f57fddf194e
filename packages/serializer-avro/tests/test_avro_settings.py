from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from despatch.mistakes import MISTAKE
from despatch.settings.explanations import explain
from despatch_serializer_avro import AvroSerializer, AvroSettings

PASSWORD = "hunter2"
URL = "http://registry:8081"


def told(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        AvroSettings.model_validate(settings)
    assert PASSWORD not in str(caught.value)
    assert caught.value.errors()[0]["type"] in (MISTAKE, "extra_forbidden", "literal_error")
    said = explain(caught.value, AvroSettings, settings)
    text = "; ".join(f"{'.'.join(map(str, where))}: {what}" for where, what in said)
    assert PASSWORD not in text
    return text


def test_nothing_has_to_be_set() -> None:
    settings = AvroSettings()
    assert (settings.registry, settings.glue) == (None, None)
    assert settings.frame == "single_object"


def test_a_registry_has_defaults() -> None:
    settings = AvroSettings.model_validate({"registry": {"url": URL + "/apis/ccompat/v7/"}})
    assert settings.registry is not None
    assert settings.registry.url == URL + "/apis/ccompat/v7"
    assert (settings.registry.subject, settings.registry.schema_) == ("topic_record", "register")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"registry": {"url": URL}, "glue": {}}, "expected `registry` or `glue`, not both"),
        ({"registry": {"url": URL}, "frame": "bare"}, "frame: expected no such setting beside"),
        ({"glue": {}, "schemas": "x"}, "schemas: expected no such setting beside a registry"),
        ({"schema_file": "x"}, "schema_file: expected no `schema_file` without `frame: bare`"),
        ({"registry": {"url": URL, "username": "u"}}, "both `username` and `password`"),
        ({"registry": {"url": URL, "password": PASSWORD}}, "both `username` and `password`"),
        ({"registry": {"url": f"http://u:{PASSWORD}@registry"}}, "a URL without a user"),
        ({"registry": {"url": "registry:8081"}}, "a URL such as http://registry:8081"),
        ({"registry": {"url": "ftp://registry"}}, "a URL such as"),
        ({"registry": {"url": "http://registry:port"}}, "a URL such as"),
        ({"registry": {"url": URL + "?a=b"}}, "a URL such as"),
        ({"registry": {"url": URL, "ca_file": "x", "verify": False}}, "no `ca_file`"),
        ({"registry": {"url": URL, "schema": "newest"}}, "registry.schema: expected"),
        ({"registry": {"url": URL, "subjekt": "topic"}}, "did you mean 'subject'?"),
        ({"registry": {"url": URL, "timeout": "soon"}}, "registry.timeout: expected a duration"),
        ({"glue": {"access_key_id": "a"}}, "both `access_key_id` and `secret_access_key`"),
        ({"glue": {"session_token": PASSWORD}}, "a `session_token` only beside"),
        ({"glue": {"endpoint_url": "localhost"}}, "a URL such as"),
        ({"glue": {"compression": "gzip"}}, "glue.compression: expected"),
        ({"registri": {}}, "did you mean 'registry'?"),
    ],
)
def test_wrong_combinations_are_explained(settings: dict[str, Any], said: str) -> None:
    assert said in told(**settings)


def test_secrets_are_not_shown() -> None:
    settings = AvroSettings.model_validate(
        {"registry": {"url": URL, "username": "u", "password": PASSWORD}}
    )
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump_json()}"
    keys = {"access_key_id": PASSWORD, "secret_access_key": PASSWORD, "session_token": PASSWORD}
    settings = AvroSettings.model_validate({"glue": keys})
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_the_serializer_takes_the_settings() -> None:
    assert AvroSerializer.Settings is AvroSettings
    assert AvroSerializer(AvroSettings()).content_type == "application/avro"
