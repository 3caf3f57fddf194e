from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from despatch_connector_parquet import ParquetSettings
from despatch_connector_parquet.settings import open_store
from despatch_connector_parquet.stores import FileSystemStore, LocalStore, S3Store

SECRET = "hunter2"
KEYS = {"access_key_id": "AKIA", "secret_access_key": SECRET}


def settings(**given: Any) -> ParquetSettings:
    return ParquetSettings.model_validate({"uri": "lake", **given})


def refusal(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_path_alone_will_do() -> None:
    found = settings()
    assert found.path.text == "{stream_type}/{type}/run={run_id}"
    assert (found.format, found.codec, found.integers) == ("parquet", "zstd", "double")


@pytest.mark.parametrize(("file_format", "codec"), [("jsonl", "none"), ("arrow", "none")])
def test_other_formats_are_not_compressed_unless_told(file_format: str, codec: str) -> None:
    assert settings(format=file_format).codec == codec


def test_a_compression_must_be_one_of_the_formats() -> None:
    assert settings(format="jsonl", compression="gzip").codec == "gzip"
    assert "compression: expected one of none, gzip, zstd for jsonl" in refusal(
        format="jsonl", compression="snappy"
    )


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "at least 1 character"),
        ("ftp://host/x", "expected a path or a URI of one of abfs, abfss, file, gcs, gs, hdfs, s3"),
        ("s3://", "expected a bucket, as in s3://bucket/prefix"),
        ("s3:///prefix", "expected a bucket, as in s3://bucket/prefix"),
        (f"s3://key:{SECRET}@bucket", "expected a URI without a password"),
        ("s3://key@bucket", "expected a URI without a password"),
        (f"abfs://account:{SECRET}@container", "expected a URI without a password"),
        (f"abfs://container/x?client_secret={SECRET}", "expected a URI without a password"),
        (f"s3://[{SECRET}", "expected a URI such as s3://bucket/prefix"),
    ],
)
def test_a_uri_that_cannot_be_meant_is_refused(uri: str, said: str) -> None:
    assert said in refusal(uri=uri)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/x", "expected a relative path without empty parts"),
        ("x/", "expected a relative path without empty parts"),
        ("a//b", "expected a relative path without empty parts"),
        ("../x", "expected parts that do not begin with . or _"),
        ("a/./b", "expected parts that do not begin with . or _"),
        ("_schemas", "expected parts that do not begin with . or _"),
        ("a*", "expected parts without"),
        ("a\\b", "expected parts without"),
        ("a\n", "expected parts without"),
        ("key={key}", "key= is one of those; name it otherwise, such as by_key={…}"),
        ("x/type={type}", "type= is one of those"),
        ("{nothing}", "unknown placeholder {nothing}"),
        ("{key:>10}", "has a format or a conversion"),
    ],
)
def test_a_path_that_leads_elsewhere_or_hides_files_is_refused(path: str, said: str) -> None:
    assert said in refusal(path=path)


@pytest.mark.parametrize("path", ["", "{key}", "a/b c/by_key={key}", "run={run_id}", "{{x}}"])
def test_paths_of_folders_and_partitions_are_taken(path: str) -> None:
    assert settings(path=path).path.text == path


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"region": "eu-west-1"}, "region: expected with a URI s3://… only"),
        ({"endpoint_url": "http://minio:9000"}, "endpoint_url: expected with a URI s3://… only"),
        (
            {"uri": "s3://b", "access_key_id": SECRET},
            "access_key_id and secret_access_key together",
        ),
        ({"uri": "s3://b", "secret_access_key": SECRET}, "access_key_id and secret_access_key"),
        ({"uri": "s3://b", "session_token": SECRET}, "session_token: expected with access_key_id"),
        ({"uri": "s3://b", "uri_options": SECRET}, "uri_options: expected with a URI that pyarrow"),
        ({"uri_options": SECRET}, "uri_options: expected with a URI that pyarrow opens"),
        ({"uri": "s3://b", "endpoint_url": "minio:9000"}, "should match pattern"),
        ({"uri": "s3://b", "endpoint_url": f"http://u:{SECRET}@h"}, "should match pattern"),
        ({"batch_size": 5}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(given: Any, said: str) -> None:
    assert said in refusal(**given)


def test_secrets_are_not_shown() -> None:
    shown = repr(settings(uri="s3://bucket", **KEYS, session_token=SECRET))
    assert SECRET not in shown
    assert "AKIA" not in shown
    assert SECRET not in repr(settings(uri="abfs://c/x", uri_options=f"client_secret={SECRET}"))


def test_a_path_is_local(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "a b"), f"file://{tmp_path}/a%20b"):
        store = open_store(settings(uri=uri))
        assert isinstance(store, LocalStore)
        assert store.location == str(tmp_path / "a b")
        assert not (tmp_path / "a b").exists()


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store(settings(uri="~/lake")).location == str(tmp_path / "lake")


def test_s3_has_a_bucket_and_a_prefix() -> None:
    given: dict[str, Any] = {"uri": "s3://bucket/a/b%20c/", "region": "eu-west-1", **KEYS}
    store = open_store(settings(**given))
    assert isinstance(store, S3Store)
    assert store.location == "s3://bucket/a/b c"


def test_other_uris_are_pyarrows() -> None:
    store = open_store(settings(uri="mock:///root"))
    assert isinstance(store, FileSystemStore)
    assert store.location == "mock:///root"


def test_an_error_of_pyarrows_does_not_show_the_options() -> None:
    with pytest.raises(OSError, match="abfs://c/x: ") as caught:
        open_store(settings(uri="abfs://c/x", uri_options=f"strange={SECRET}"))
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
