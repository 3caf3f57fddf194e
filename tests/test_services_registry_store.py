"""What the stand-in for a schema registry keeps."""

from __future__ import annotations

import json

import pytest

from services.registry_stand_in.avro import InvalidSchemaError
from services.registry_stand_in.store import LEVELS, RefusalError, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "registry.jsonl")


def record(**fields):
    named = [{"name": name, "type": kind} for name, kind in fields.items()]
    return json.dumps({"type": "record", "name": "visit", "fields": named})


INT, LONG, TEXT = record(wait="int"), record(wait="long"), record(wait="string")


def test_one_schema_has_one_id_in_all_subjects(store):
    assert store.register("a", INT).id == store.register("b", INT).id == 1
    assert store.register("a", LONG).id == 2
    assert [(each.subject, each.version) for each in store.by_id(1)] == [("a", 1), ("b", 1)]


def test_white_space_makes_no_new_version(store):
    store.register("a", INT)

    assert store.register("a", json.dumps(json.loads(INT), indent=2)).version == 1
    assert store.look_up("a", INT).version == 1


def test_all_is_there_again_after_a_restart(store, tmp_path):
    store.register("a", INT)
    store.register("a", LONG)
    store.register("b", INT)
    store.set_level("a", "FULL")
    store.set_level("", "NONE")
    store.delete("b")
    again = Store(tmp_path / "registry.jsonl")

    assert again.subjects() == ["a"]
    assert again.versions("a") == store.versions("a")
    assert (again.level("a"), again.level("b")) == ("FULL", "NONE")
    assert again.register("b", INT) == store.register("b", INT)


def test_a_deleted_subject_is_gone_but_its_ids_and_numbers_are_not_given_again(store):
    store.register("a", INT)
    assert store.delete("a") == [1]

    with pytest.raises(RefusalError, match="'a' not found"):
        store.versions("a")
    assert store.by_id(1)[0].schema
    added = store.register("a", TEXT)
    assert (added.version, added.id) == (2, 2)


def test_a_version_is_had_by_its_number_or_as_the_latest(store):
    store.register("a", INT)
    store.register("a", LONG)

    assert store.version("a", "1").id == 1
    assert store.version("a", "latest") == store.version("a", "-1") == store.version("a", "2")


@pytest.mark.parametrize(
    ("level", "first", "second", "allowed"),
    [
        ("BACKWARD", INT, LONG, True),
        ("BACKWARD", LONG, INT, False),
        ("FORWARD", LONG, INT, True),
        ("FORWARD", INT, LONG, False),
        ("FULL", INT, LONG, False),
        ("FULL", INT, INT, True),
        ("NONE", INT, TEXT, True),
    ],
)
def test_the_level_decides_what_may_follow(store, level, first, second, allowed):
    store.set_level("a", level)
    store.register("a", first)

    if allowed:
        store.register("a", second)
    else:
        with pytest.raises(RefusalError, match=f"incompatible.*{level}") as raised:
            store.register("a", second)
        assert raised.value.code == 409
    assert len(store.versions("a")) == (2 if allowed and first != second else 1)


def test_a_transitive_level_looks_at_all_versions(store):
    store.set_level("a", "NONE")
    store.register("a", TEXT)
    store.register("a", INT)

    store.set_level("a", "BACKWARD_TRANSITIVE")
    with pytest.raises(RefusalError, match="version 1"):
        store.register("a", LONG)
    store.set_level("a", "BACKWARD")
    assert store.register("a", LONG).version == 3


def test_a_subject_has_the_level_of_all_until_it_is_given_its_own(store):
    assert store.level("a") == "BACKWARD"
    store.set_level("", "FULL")
    assert store.level("a") == "FULL"
    store.set_level("a", "NONE")
    assert (store.level("a"), store.level("b")) == ("NONE", "FULL")

    with pytest.raises(RefusalError, match="does not have subject-level"):
        store.level("b", or_global=False)


def test_there_are_seven_levels(store):
    assert len(LEVELS) == 7
    with pytest.raises(RefusalError, match="Invalid compatibility level"):
        store.set_level("a", "SIDEWAYS")


def test_what_is_no_schema_is_not_kept(store, tmp_path):
    with pytest.raises(InvalidSchemaError):
        store.register("a", '{"type": "recrod"}')

    assert store.subjects() == []
    assert not (tmp_path / "registry.jsonl").exists()
