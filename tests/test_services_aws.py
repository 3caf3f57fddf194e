"""S3 and Glue as the tests get them."""

from __future__ import annotations

import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

import services
from services import aws


@pytest.fixture
def client():
    """Makes a boto3 client of an endpoint, which asks once."""
    made = []

    def make(service, url, *, read_timeout=60):
        config = Config(read_timeout=read_timeout, retries={"total_max_attempts": 1})
        made.append(boto3.client(service, endpoint_url=url, config=config))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_bucket_takes_an_object_and_refuses_to_put_another_in_its_place(
    client, s3_url, s3_bucket
):
    s3 = client("s3", s3_url)
    s3.put_object(Bucket=s3_bucket, Key="one", Body=b"1", IfNoneMatch="*")

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=s3_bucket, Key="one", Body=b"2", IfNoneMatch="*")
    assert s3.get_object(Bucket=s3_bucket, Key="one")["Body"].read() == b"1"


def test_a_bucket_is_gone_after_its_test_with_all_that_is_in_it(client, s3_url):
    s3 = client("s3", s3_url)
    with aws.own_bucket(s3_url) as bucket:
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        s3.put_object(Bucket=bucket, Key="left/behind", Body=b"1")

    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_objects_v2(Bucket=bucket)


def test_glue_keeps_schemas(client, glue_url):
    glue = client("glue", glue_url)
    registry = services.unique_name("registry")
    glue.create_registry(RegistryName=registry)
    made = glue.create_schema(
        RegistryId={"RegistryName": registry},
        SchemaName="waits",
        DataFormat="AVRO",
        Compatibility="BACKWARD",
        SchemaDefinition='{"type": "record", "name": "waits", "fields": []}',
    )

    kept = glue.get_schema_version(SchemaVersionId=made["SchemaVersionId"])
    assert kept["SchemaDefinition"] == '{"type": "record", "name": "waits", "fields": []}'


def test_a_server_of_ones_own_is_frozen_resumed_and_killed(client, moto_server):
    s3 = client("s3", moto_server.url)
    s3.create_bucket(Bucket="mine")

    moto_server.pause()
    with pytest.raises(ReadTimeoutError):
        client("s3", moto_server.url, read_timeout=0.2).list_buckets()
    moto_server.resume()
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]

    url = moto_server.url
    moto_server.kill()
    with pytest.raises(EndpointConnectionError):
        s3.list_buckets()
    moto_server.start()
    assert moto_server.url == url
    assert s3.list_buckets()["Buckets"] == []


def test_credentials_of_the_environment_are_kept(monkeypatch, request):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "given")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)

    request.getfixturevalue("aws_credentials")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "given"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "testing"


def test_without_moto_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert not services.MotoServer.is_installed()
    with pytest.raises(services.ServiceMissing, match=r"pip install 'moto\[server\]'"):
        services.MotoServer().start()
