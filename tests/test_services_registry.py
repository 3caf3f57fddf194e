"""The schema registry as the tests get it.

The shared registry is asked nothing here that only the stand-in could answer, so that these tests
run on a real one too (`DESPATCH_TEST_REGISTRY`, or Apicurio in a container).
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

import services
from services import RegistryServer

JSON = "application/vnd.schemaregistry.v1+json"


def record(**fields):
    """A schema of a record; a field whose type begins with ? may be null and need not be there."""
    written = [
        {"name": name, "type": ["null", kind[1:]], "default": None}
        if kind.startswith("?")
        else {"name": name, "type": kind}
        for name, kind in fields.items()
    ]
    return Schema(json.dumps({"type": "record", "name": "visit", "fields": written}), "AVRO")


@pytest.fixture
def client(schema_registry_url):
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        yield client


@pytest.fixture
def subject():
    return services.unique_name("visits") + "-value"


def test_schemas_become_versions_and_are_found_by_id(client, subject):
    first, second = record(wait="int"), record(wait="long", name="?string")
    one = client.register_schema(subject, first)
    two = client.register_schema(subject, second)

    assert one != two
    assert client.get_versions(subject) == [1, 2]
    assert json.loads(client.get_schema(two).schema_str) == json.loads(second.schema_str)
    latest = client.get_latest_version(subject)
    assert (latest.version, latest.schema_id) == (2, two)


def test_a_schema_that_is_known_keeps_its_id(client, subject):
    one = client.register_schema(subject, record(wait="int"))
    client.clear_caches()

    assert client.register_schema(subject, record(wait="int")) == one
    assert client.lookup_schema(subject, record(wait="int")).schema_id == one
    assert client.get_versions(subject) == [1]


def test_a_schema_that_cannot_read_the_last_ones_data_is_refused(client, subject):
    client.set_compatibility(subject, "BACKWARD")
    client.register_schema(subject, record(wait="int"))

    assert not client.test_compatibility(subject, record(wait="string"))
    with pytest.raises(SchemaRegistryError) as raised:
        client.register_schema(subject, record(wait="string"))
    assert raised.value.http_status_code == 409


def test_a_subject_may_take_any_schema(client, subject):
    client.set_compatibility(subject, "NONE")
    client.register_schema(subject, record(wait="int"))
    client.register_schema(subject, record(wait="string"))

    assert client.get_versions(subject) == [1, 2]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_latest_version("nobodys"),
        lambda client: client.get_versions("nobodys"),
        lambda client: client.get_schema(2_000_000_000),
    ],
)
def test_what_is_not_there_is_not_found(client, ask):
    with pytest.raises(SchemaRegistryError) as raised:
        ask(client)
    assert raised.value.http_status_code == 404


def test_what_is_no_schema_is_refused(client, subject):
    with pytest.raises(SchemaRegistryError) as raised:
        client.register_schema(subject, Schema('{"type": "recrod"}', "AVRO"))
    assert raised.value.http_status_code == 422


def ask(url, path, *, method="GET", body=None, kind=JSON, auth=None):
    """One request to a registry: its status, and what it answered."""
    request = urllib.request.Request(url + path, method=method, data=body)
    request.add_header("Content-Type", kind)
    if auth:
        request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def register(url, subject, schema, **options):
    body = json.dumps({"schema": schema.schema_str}).encode()
    return ask(url, f"/subjects/{subject}/versions", method="POST", body=body, **options)


@pytest.fixture(scope="module")
def stand_in():
    with RegistryServer() as server:
        yield server.url


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"body": b"{}"}, 422, "a schema as text"),
        ({"body": b"[]"}, 422, "a JSON object was expected"),
        ({"body": b"{"}, 400, "not JSON"),
        ({"body": b"[" * 100_000}, 400, "not JSON"),
        ({"body": b'{"schema": "\\"int\\"", "shcemaType": "AVRO"}'}, 422, "shcemaType"),
        ({"body": b'{"schema": "{}", "schemaType": "JSON"}'}, 422, "knows AVRO"),
        ({"body": b'{"schema": "\\"int\\"", "references": [{}]}'}, 422, "references"),
        ({"body": b'{"schema": "\\"int\\""}', "kind": "text/plain"}, 415, "text/plain"),
        ({"method": "PUT", "body": b"{}"}, 405, "Not Allowed"),
        ({"body": b" " * 1_000_001}, 413, "at most 1000000 bytes"),
    ],
)
def test_the_stand_in_is_strict(stand_in, options, status, said):
    found, answer = ask(stand_in, "/subjects/s/versions", **{"method": "POST", **options})

    assert found == status
    assert str(answer["error_code"]).startswith(str(status))
    assert said in answer["message"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subjects/nobodys/versions", 40401),
        ("/subjects/known/versions/7", 40402),
        ("/schemas/ids/4711", 40403),
        ("/config/known", 40408),
        ("/subjects/known/versions/first", 42202),
        ("/subjects/known/versions/0", 42202),
        ("/nothing", 404),
    ],
)
def test_the_stand_in_gives_confluents_error_codes(stand_in, path, code):
    register(stand_in, "known", record(wait="int"))

    assert ask(stand_in, path)[1]["error_code"] == code


def test_the_stand_in_tells_why_a_schema_may_not_follow(stand_in):
    register(stand_in, "told", record(wait="int"))
    body = json.dumps({"schema": record(wait="string").schema_str}).encode()
    path = "/compatibility/subjects/told/versions/latest?verbose=true"

    assert ask(stand_in, path, method="POST", body=body)[1] == {
        "is_compatible": False,
        "messages": ["visit.wait: int cannot be read as string (version 1, BACKWARD)"],
    }


def test_the_stand_in_takes_any_name_of_a_subject(stand_in):
    register(stand_in, "shop%2Fvisits%3F", record(wait="int"))

    assert "shop/visits?" in ask(stand_in, "/subjects")[1]


def test_the_stand_in_asks_for_a_password():
    with RegistryServer(auth=("ann", "s3cret")) as server:
        for wrong in (None, "ann:wrong", "eve:s3cret", "ann:"):
            status, answer = register(server.url, "guarded", record(wait="int"), auth=wrong)
            assert (status, answer["error_code"]) == (401, 401)
        assert ask(server.url, "/subjects", auth="ann:s3cret") == (200, [])

        login = {"url": server.url, "basic.auth.user.info": "ann:s3cret"}
        with SchemaRegistryClient(login) as client:
            assert client.register_schema("guarded", record(wait="int")) == 1


def test_a_server_keeps_its_schemas_and_its_port_when_killed_and_says_nothing_when_frozen(
    schema_registry_server,
):
    url = schema_registry_server.url
    register(url, "kept", record(wait="int"))
    schema_registry_server.kill()
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(url, "/subjects")
    schema_registry_server.start()

    assert schema_registry_server.url == url
    assert ask(url, "/subjects/kept/versions") == (200, [1])

    schema_registry_server.pause()
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(url, timeout=0.2)
    schema_registry_server.resume()
    assert ask(url, "/") == (200, {})
