from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from despatch_serializer_avro import ConfluentSettings, SchemaRegistryError
from despatch_serializer_avro.confluent_api import (
    LARGEST_ANSWER_BYTES,
    ConfluentApi,
    RefusedError,
)


def get(url: str, **settings: Any) -> Any:
    async def run() -> Any:
        api = ConfluentApi(ConfluentSettings.model_validate({"url": url, **settings}))
        try:
            return await api.get("subjects", "a/b", about="subject 'a/b'")
        finally:
            await api.close()

    return asyncio.run(run())


def test_an_answer_is_json(anything_server: Any) -> None:
    assert get(anything_server(200, b"[1]")) == [1]


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (500, b"{}", "HTTP 500, error 500: Internal Server Error"),
        (409, b'{"error_code": 409, "message": "incompatible"}', "error 409: incompatible"),
        (422, b'{"error_code": 42201, "message": "no schema"}', "HTTP 422, error 42201: no schema"),
        (422, b'{"error_code": "x"}', "HTTP 422, error 422"),
        (404, b"<html>", "HTTP 404, error 404: Not Found"),
        (401, b"", "HTTP 401: it wants another `username` and `password`"),
        (403, b"", "HTTP 403: this user may not do that"),
        (200, b"<html>", "no JSON: is this a registry with Confluent's API?"),
        (200, b"[" * 100_000, "no JSON"),
        (301, b"", "HTTP 301 and no JSON"),
        (200, b" " * (LARGEST_ANSWER_BYTES + 1), f"more than {LARGEST_ANSWER_BYTES} bytes"),
    ],
)
def test_what_went_wrong_is_said(
    anything_server: Any, status: int, content: bytes, said: str
) -> None:
    url = anything_server(status, content)
    with pytest.raises(SchemaRegistryError) as caught:
        get(url)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"schema registry {url}: subject 'a/b': ")


def test_a_refusal_has_its_code(anything_server: Any) -> None:
    content = json.dumps({"error_code": 40401, "message": "x" * 10_000}).encode()
    with pytest.raises(RefusedError) as caught:
        get(anything_server(404, content))
    assert (caught.value.status, caught.value.code) == (404, 40401)
    assert len(str(caught.value)) < 1000


def test_a_registry_that_does_not_answer_is_waited_for_no_longer(anything_server: Any) -> None:
    with pytest.raises(SchemaRegistryError, match="no answer in time"):
        get(anything_server(None, b""), timeout="200ms")


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(SchemaRegistryError, match=r"out of reach: ."):
        get("http://127.0.0.1:9")


def test_a_file_of_certificates_that_is_none(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(SchemaRegistryError, match="`ca_file`"):
            get("https://127.0.0.1:9", ca_file=file)
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(SchemaRegistryError, match="`ca_file`"):
        get("https://127.0.0.1:9", ca_file=empty)


def test_https_is_checked_unless_told_otherwise(anything_server: Any) -> None:
    url = anything_server(200, b"[1]").replace("http://", "https://")
    for verify in (True, False):
        with pytest.raises(SchemaRegistryError, match=r"out of reach: .*SSL"):
            get(url, verify=verify)
