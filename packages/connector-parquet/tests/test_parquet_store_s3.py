from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pyarrow as pa
import pytest
from pydantic import SecretStr

from despatch_connector_parquet.stores import S3Store
from despatch_connector_parquet.stores.s3 import S3Options

CONTENT = b"content"
KEYS = {
    "region": "us-east-1",
    "access_key_id": SecretStr("testing"),
    "secret_access_key": SecretStr("hunter2"),
}


def opened(bucket: str, url: str, prefix: str = "lake", **options: Any) -> S3Store:
    store = S3Store(bucket, prefix, S3Options(endpoint_url=url, **options))
    store.open()
    return store


@pytest.fixture
def store(s3_url: str, s3_bucket: str) -> S3Store:
    return opened(s3_bucket, s3_url)


def keys(url: str, bucket: str) -> list[str]:
    client = boto3.session.Session().client("s3", endpoint_url=url)
    return [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_an_object_is_made_below_the_prefix(store: S3Store, s3_url: str, s3_bucket: str) -> None:
    assert store.create("a/x.parquet", CONTENT)
    assert store.create("y", pa.py_buffer(CONTENT))
    assert keys(s3_url, s3_bucket) == ["lake/a/x.parquet", "lake/y"]
    assert store.read("a/x.parquet") == store.read("y") == CONTENT


def test_a_prefix_may_be_empty(s3_url: str, s3_bucket: str) -> None:
    store = opened(s3_bucket, s3_url, prefix="/")
    store.create("x", CONTENT)
    assert keys(s3_url, s3_bucket) == ["x"]
    assert store.location == f"s3://{s3_bucket}"


def test_an_object_that_is_there_is_left_as_it_is(store: S3Store) -> None:
    assert store.create("x", CONTENT)
    assert not store.create("x", b"other")
    assert store.read("x") == CONTENT


def test_an_object_that_is_not_there_has_no_content(store: S3Store) -> None:
    assert store.read("x") is None


def test_of_many_writers_of_one_name_one_succeeds(s3_url: str, s3_bucket: str) -> None:
    stores = [opened(s3_bucket, s3_url) for _ in range(4)]
    start = threading.Barrier(4)

    def write(number: int) -> bool:
        start.wait()
        return stores[number].create("x", str(number).encode())

    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(write, range(4)))
    assert created.count(True) == 1
    assert stores[0].read("x") == str(created.index(True)).encode()


def test_a_probe_leaves_nothing(store: S3Store, s3_url: str, s3_bucket: str) -> None:
    assert store.examine() == []
    assert keys(s3_url, s3_bucket) == []


def test_a_bucket_that_is_not_there_is_said(s3_url: str) -> None:
    store = opened("despatch-nowhere", s3_url)
    advice = "s3://despatch-nowhere/lake: there is no such bucket; make it, or name another"
    with pytest.raises(OSError, match=advice):
        store.create("x", CONTENT)
    with pytest.raises(OSError, match=advice):
        store.read("x")


def test_missing_credentials_are_said(
    s3_url: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    store = opened(s3_bucket, s3_url, region="us-east-1")
    with pytest.raises(OSError, match="no credentials; set `access_key_id`"):
        store.create("x", CONTENT)


def test_a_server_that_is_not_there_is_said() -> None:
    store = opened("bucket", "http://127.0.0.1:9", **KEYS)
    with pytest.raises(OSError, match="s3://bucket/lake: Could not connect to the endpoint URL"):
        store.create("x", CONTENT)


def test_a_store_that_is_not_open_says_so() -> None:
    with pytest.raises(OSError, match="s3://bucket: not open"):
        S3Store("bucket", "", S3Options()).read("x")


_Answer = tuple[int, str]


class _Strange(BaseHTTPRequestHandler):
    """A store of one object that answers puts as it is told."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[str, bool], _Answer | None]
    objects: dict[str, bytes]
    log: list[str]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        conditional = self.headers.get("If-None-Match") == "*"
        self.log.append("put if none" if conditional else "put")
        answer = type(self).answer("PUT", conditional)
        if answer is None:
            self.objects[self.path] = body
            self._send(200, b"")
        else:
            self._refuse(*answer)

    def do_GET(self) -> None:
        self.log.append("get")
        answer = type(self).answer("GET", False)
        if answer is not None:
            self._refuse(*answer)
        elif self.path in self.objects:
            self._send(200, self.objects[self.path])
        else:
            self._refuse(404, "NoSuchKey")

    def do_DELETE(self) -> None:
        answer = type(self).answer("DELETE", False)
        if answer is None:
            self._send(204, b"")
        else:
            self._refuse(*answer)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def strange(answer: Callable[[str, bool], _Answer | None]) -> Iterator[tuple[S3Store, list[str]]]:
    log: list[str] = []
    members = {"answer": staticmethod(answer), "objects": {}, "log": log}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Strange,), members)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield opened("bucket", f"http://127.0.0.1:{server.server_port}", **KEYS), log
        finally:
            server.shutdown()
            thread.join()


def test_a_put_that_met_another_is_sent_again() -> None:
    answers = iter([(409, "ConditionalRequestConflict")] * 2)

    def conflicts(method: str, conditional: bool) -> _Answer | None:
        return next(answers, None)

    with strange(conflicts) as (store, log):
        assert store.create("x", CONTENT)
        assert log == ["put if none"] * 3
        assert store.read("x") == CONTENT


def test_puts_that_always_meet_others_end_in_an_error() -> None:
    with strange(lambda method, conditional: (409, "ConditionalRequestConflict")) as (store, log):
        with pytest.raises(OSError, match="x: other puts of this key were always under way"):
            store.create("x", CONTENT)
        assert log == ["put if none"] * 5


def test_a_store_without_conditional_puts_is_asked_first() -> None:
    def refuses(method: str, conditional: bool) -> _Answer | None:
        return (501, "NotImplemented") if conditional else None

    with strange(refuses) as (store, log):
        assert store.create("x", CONTENT)
        assert not store.create("x", b"other")
        assert store.read("x") == CONTENT
        assert log.count("put if none") == 1
        assert log.count("put") == 1


def test_a_store_that_does_not_heed_conditions_is_told_of() -> None:
    with strange(lambda method, conditional: None) as (store, _):
        (warning,) = store.examine()
    assert "does not heed If-None-Match; give each sink a path of its own" in warning


def test_a_probe_that_may_not_be_deleted_is_told_of() -> None:
    puts = iter([None, (412, "PreconditionFailed")])

    def answer(method: str, conditional: bool) -> _Answer | None:
        if method == "PUT":
            return next(puts)
        return (403, "AccessDenied") if method == "DELETE" else None

    with strange(answer) as (store, _):
        (warning,) = store.examine()
    assert "may not be deleted (AccessDenied); remove it" in warning


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "AccessDenied", "not allowed; s3:PutObject, s3:GetObject and s3:ListBucket"),
        (403, "InvalidAccessKeyId", "the access key is not known; set `access_key_id`"),
        (403, "SignatureDoesNotMatch", "the secret key is not that of the access key"),
        (400, "ExpiredToken", "the session token has expired; renew it"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region; set `region`"),
        (400, "EntityTooLarge", "EntityTooLarge"),
    ],
)
def test_what_a_store_refuses_is_said_with_what_to_do(status: int, code: str, advice: str) -> None:
    with strange(lambda method, conditional: (status, code)) as (store, _):
        for attempt in (lambda: store.create("x", CONTENT), lambda: store.read("x")):
            with pytest.raises(OSError, match=advice) as caught:
                attempt()
            assert str(caught.value).startswith("s3://bucket/lake: ")
            assert "hunter2" not in str(caught.value)


def test_folders_are_listed_page_by_page(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("b/x", "a/deep/y", "c/z", "file"):
        store.create(path, CONTENT)
    pages = []
    call = S3Store._call

    def paged(self: S3Store, operation: str, **arguments: Any) -> Any:
        pages.append(operation)
        return call(self, operation, MaxKeys=2, **arguments)

    monkeypatch.setattr(S3Store, "_call", paged)
    assert store.folders() == ["a", "b", "c"]
    assert len(pages) > 1


def test_folders_of_a_bucket_that_is_not_there_are_an_error(s3_url: str) -> None:
    with pytest.raises(OSError, match="there is no such bucket"):
        opened("no-such-bucket", s3_url).folders()
