"""What ``despatch schema snapshot`` prints, held against snapshots by a validator."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from typer.testing import CliRunner

from despatch import (
    DynamicContainer,
    DynamicEnvironment,
    DynamicPriorityResource,
    DynamicStore,
    Snapshot,
)
from despatch.cli import app
from pages import ROOT, blocks

PAGE = ROOT / "docs" / "concepts" / "state.md"
TAKEN_AT = {"taken_at": "2026-01-05T08:00:00+01:00"}


@pytest.fixture(scope="module")
def validator():
    result = CliRunner().invoke(app, ["schema", "snapshot"])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_says_what_it_is(validator):
    schema = validator.schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Snapshot of a despatch model, version 1"
    assert schema["description"] == "What a real system is like at an instant."
    parts = [schema, *schema["$defs"].values()]
    assert all("\n" not in part["description"] for part in parts)
    for part in parts:
        for name, field in part["properties"].items():
            assert field["description"], name


def documents_of_the_page():
    found = [json.loads(block.code) for block in blocks(PAGE) if block.language == "json"]
    assert found
    return found


def test_the_documents_of_the_page_are_valid_and_one_has_everything(validator):
    documents = documents_of_the_page()
    for document in documents:
        assert list(validator.iter_errors(document)) == []
        Snapshot.model_validate_json(json.dumps(document))
    assert any(set(document) == set(Snapshot.model_fields) for document in documents)


def test_what_a_simulation_says_of_itself_is_valid(validator):
    env = DynamicEnvironment(start=datetime(2026, 1, 5, tzinfo=UTC), statistics=True)
    desk = DynamicPriorityResource(env, 1, name="desk")
    DynamicContainer(env, 5, init=2.5, name="tank")
    DynamicStore(env, name="shelf").put({"size": [1, None, True]})
    env.note_arrival("customers")

    def customer():
        with desk.request(priority=2) as turn:
            yield turn
            yield env.timeout(5)

    env.process(customer()), env.process(customer())
    env.run(until=1)
    document = json.loads(env.snapshot().model_dump_json())
    assert list(validator.iter_errors(document)) == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"taken_at": None},
        {**TAKEN_AT, "version": 2},
        {**TAKEN_AT, "machines": {}},
        {**TAKEN_AT, "containers": {"tank": {"level": -1}}},
        {**TAKEN_AT, "containers": {"tank": 5}},
        {**TAKEN_AT, "resources": {"desk": {"in_service": [{"elapsed": 3}]}}},
        {**TAKEN_AT, "resources": {"desk": {"in_service": [{"key": "a", "elapsed": -3}]}}},
        {**TAKEN_AT, "resources": {"desk": {"queue": [{"key": "a", "priority": "high"}]}}},
        {**TAKEN_AT, "stores": {"shelf": ["a"]}},
    ],
)
def test_what_is_no_snapshot_is_not_valid(validator, document):
    assert list(validator.iter_errors(document))
    with pytest.raises(ValidationError):
        Snapshot.model_validate_json(json.dumps(document))


def test_without_a_word_it_is_that_of_settings_and_another_word_is_refused():
    runner = CliRunner()
    default, named = (runner.invoke(app, ["schema", *what]) for what in ([], ["settings"]))
    assert default.stdout == named.stdout
    assert json.loads(default.stdout)["title"] == "Settings of a despatch run"
    assert runner.invoke(app, ["schema", "model"]).exit_code == 2
