from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from despatch.interfaces import EgressConnector, Guarantee, Receipt
from despatch.settings.entries import (
    REVEAL,
    BatchSettings,
    EgressSettings,
    IngressSettings,
    RetrySettings,
    SerializerSettings,
    doubles,
    named,
)
from despatch.settings.references import HIDDEN, substitute


class Collector(EgressConnector):
    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self):
        pass

    async def open(self):
        pass

    async def deliver(self, batch):
        return Receipt()

    async def close(self):
        pass


def egress(**data):
    return EgressSettings.model_validate({"connector": "acme", **data})


def revealed(entry):
    return entry.model_dump(mode="json", context={REVEAL: True})


def test_the_defaults_are_those_of_the_design():
    entry = egress()
    assert entry.name == "acme"
    assert entry.select is None
    assert (entry.batch.records, entry.batch.bytes) == (5000, 4 * 1024 * 1024)
    assert entry.batch.interval == timedelta(seconds=1)
    assert (entry.retry.initial, entry.retry.maximum, entry.retry.attempts) == (
        timedelta(milliseconds=100),
        timedelta(seconds=30),
        None,
    )
    assert entry.timeout == timedelta(seconds=30)
    assert entry.serializer.name == "json"
    assert entry.plugin_settings == {}


def test_keys_that_are_not_the_cores_are_the_plugins():
    entry = egress(name="lake", batch={"records": 5}, url="redis://x", stream="{sim}")
    assert entry.plugin_settings == {"url": "redis://x", "stream": "{sim}"}
    assert entry.batch.records == 5
    source = IngressSettings.model_validate({"connector": "acme", "allow": ["A.*"], "url": "x"})
    assert (source.allow, source.plugin_settings) == (["A.*"], {"url": "x"})


def test_a_key_that_is_called_plugin_settings_is_the_plugins_too():
    assert egress(plugin_settings=1).plugin_settings == {"plugin_settings": 1}


def test_a_serializer_is_a_name_or_a_mapping():
    assert egress(serializer="avro").serializer == SerializerSettings(name="avro")
    entry = egress(serializer={"name": "avro", "registry": "http://x"})
    assert entry.serializer.name == "avro"
    assert entry.serializer.plugin_settings == {"registry": "http://x"}


def test_a_connector_may_be_a_live_object():
    collector = Collector()
    entry = EgressSettings.model_validate({"connector": collector})
    assert entry.connector is collector
    assert entry.name == "collector"
    assert entry.model_dump(mode="json")["connector"] == "live:Collector"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"connector": ""},
        {"connector": 5},
        {"connector": Collector},
        {"connector": "acme", "name": "a b"},
        {"connector": "acme", "batch": {"records": 0}},
        {"connector": "acme", "batch": {"recods": 1}},
        {"connector": "acme", "retry": {"initial": "2s", "maximum": "1s"}},
        {"connector": "acme", "retry": {"attempts": 0}},
        {"connector": "acme", "timeout": "0s"},
        {"connector": "acme", "serializer": 5},
        {"connector": "acme", "select": {"keys": "a"}},
        "acme",
    ],
)
def test_mistakes_in_the_cores_part_are_refused(data):
    with pytest.raises(ValidationError):
        EgressSettings.model_validate(data)


@pytest.mark.parametrize("name", ["model", "settings", "resume"])
def test_a_source_is_not_called_what_outcomes_say_of_others(name):
    with pytest.raises(ValidationError, match="another name than model, resume, settings"):
        IngressSettings.model_validate({"connector": "acme", "name": name})


def test_a_live_egress_connector_is_no_source():
    with pytest.raises(ValidationError):
        IngressSettings.model_validate({"connector": Collector()})


def test_the_plugins_part_is_hidden_until_it_is_known_what_may_be_shown():
    entry = egress(url="redis://:hunter2@x", serializer={"name": "avro", "key": "hunter2"})
    assert "hunter2" not in f"{entry!r} {entry} {entry.model_dump()} {entry.model_dump_json()}"
    assert entry.model_dump()["url"] == HIDDEN
    entry.show({"url": "redis://x"})
    assert entry.model_dump()["url"] == "redis://x"
    assert "url='redis://x'" in repr(entry)


def test_revealing_gives_plain_data_that_makes_the_same_entry():
    data, _ = substitute({"a": "${MISSING:-hunter2}"})
    entry = egress(
        **data,
        password=SecretStr("hunter2"),
        folder=Path("/tmp"),
        nested={"list": [SecretStr("x"), timedelta(seconds=5), {"y"}]},
        select={"where": {"a": {"lt": 5}}},
        serializer={"name": "avro", "key": SecretStr("k")},
    )
    plain = revealed(entry)
    assert plain["a"] == "hunter2"
    assert type(plain["a"]) is str
    assert plain["password"] == "hunter2"
    assert plain["folder"] == "/tmp"
    assert plain["nested"] == {"list": ["x", "PT5S", ["y"]]}
    assert plain["serializer"] == {"name": "avro", "key": "k"}
    assert revealed(EgressSettings.model_validate(plain)) == plain


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["jsonl", "jsonl", "jsonl"], ["jsonl", "jsonl-2", "jsonl-3"]),
        (["jsonl", ("jsonl", "jsonl-2"), "jsonl"], ["jsonl", "jsonl-2", "jsonl-3"]),
        ([("redis", "jsonl"), "jsonl"], ["jsonl", "jsonl-2"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_names_come_from_connectors_and_differ(given, names):
    entries = [
        {"connector": each} if isinstance(each, str) else {"connector": each[0], "name": each[1]}
        for each in given
    ]
    assert [entry["name"] for entry in named(entries)] == names


def test_naming_leaves_malformed_entries_as_they_are():
    entries = [5, "jsonl", {}, {"connector": None}, {"connector": "a", "name": 5}]
    assert named(entries) == entries


def test_doubles_name_the_first_of_their_kind():
    assert list(doubles(["a", "b", "a", None, None, "a", "b"])) == [(2, 0), (5, 0), (6, 1)]


def test_parts_may_be_made_in_python():
    assert BatchSettings(records=5).records == 5
    assert RetrySettings(attempts=3).attempts == 3
