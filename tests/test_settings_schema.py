"""What ``despatch schema`` prints, held against settings files by a validator of JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.testing import CliRunner

from despatch.cli import app
from despatch.errors import SettingsError
from despatch.plugins import Plugins
from despatch.settings.file import settings_from
from despatch.settings.schema import schema_of_settings
from despatch.settings.yaml_document import read_yaml
from pages import ROOT, blocks

FILES = sorted([*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("packages/core/src/**/*.yaml")])
# Its connector is installed by a test of its own.
TUTORIAL = ROOT / "docs" / "write-a-connector.md"
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/README.md"), ROOT / "README.md"])
OF_A_SINK = {"select", "batch", "retry"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def validator():
    schema, left_out = schema_of_settings(Plugins())
    assert left_out == []
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def mistakes(validator):
    """Where a validator finds mistakes in a settings file."""

    def mistakes(text):
        document = read_yaml(text)
        assert document.faults == []
        errors = validator.iter_errors(document.data)
        return sorted({".".join(map(str, error.absolute_path)) for error in errors})

    return mistakes


def test_the_command_prints_the_schema(validator):
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == validator.schema


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_settings_file_of_the_repository_is_valid(mistakes, path):
    assert mistakes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "page",
    [each for each in PAGES if each != TUTORIAL and "```yaml" in each.read_text(encoding="utf-8")],
    ids=named,
)
def test_the_settings_on_a_page_are_valid(mistakes, page):
    for block in blocks(page):
        if block.language == "yaml":
            data = YAML(typ="safe", pure=True).load(block.code)
            text = block.code
            if data.keys() <= OF_A_SINK:
                part = text.replace("\n", "\n    ")
                text = f"egress:\n  - connector: jsonl\n    path: x\n    {part}"
            assert mistakes(text) == [], f"line {block.line}"


@pytest.mark.parametrize(
    "text",
    [
        "egress: [{connector: '${SINK}', whatever: 1}]",
        "clock: {factor: '${FACTOR}', until: '${HOURS:-8}h'}",
        "journal: {max_bytes: '${ROOM}', when_full: '${POLICY}', flush: {bytes: 65536}}",
        "journal: {max_bytes: 4GiB, keep: 1h30m, sync_interval: 0.5}",
        "seed: '${SEED}'",
        "egress: [{connector: redis, url: '${URL}', maxlen: '${LEN}', connect_timeout: 100ms}]",
        "egress: [{connector: kafka, bootstrap_servers: [a, b], compression: '${C}'}]",
        "egress: [{connector: kafka, bootstrap_servers: a, serializer: avro}]",
        "egress: [{connector: kafka, bootstrap_servers: a, serializer: '${FORMAT}'}]",
        "egress: [{connector: jsonl, path: x, serializer: {name: json}}]",
        "egress: [{connector: jsonl, path: x, serializer: {name: avro, glue: {region: x}}}]",
        "ingress: [{connector: redis, url: x, stream: s, serializer: null, allow: ['A.*']}]",
        "ingress: [{connector: schedule, commands: [{at: 10s, path: A.b, value: [1]}]}]",
        "plugins: null\nparameters: {A.b: {c: [1, null]}}",
        "state: {source: file, path: state.json, timeout: 5s}\nexecutor: local",
        "executor: {workers: 2}",
        "executor: {name: local, workers: '${CORES}'}",
        "metrics: {}\nlogs: {level: '${LEVEL}'}\nresume: last",
        "{}",
    ],
)
def test_what_a_run_would_take_is_valid(mistakes, text):
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("egres: []", ""),
        ("name: no name", "name"),
        ("seed: -1", "seed"),
        ("clock: {factor: fast}", "clock.factor"),
        ("clock: {until: 8 hours}", "clock.until"),
        ("clock: {lag: {policy: wait}}", "clock.lag.policy"),
        ("journal: {max_bytes: 0}", "journal.max_bytes"),
        ("metrics: {port: 70000}", "metrics"),
        ("egress: [{path: x}]", "egress.0"),
        ("egress: [{connector: jsonnl, path: x}]", "egress.0.connector"),
        ("egress: [{connector: jsonl}]", "egress.0"),
        ("egress: [{connector: jsonl, path: x, url: y}]", "egress.0"),
        ("egress: [{connector: jsonl, path: x, batch: {records: 0}}]", "egress.0.batch.records"),
        ("egress: [{connector: redis, url: x, maxlen: many}]", "egress.0.maxlen"),
        ("egress: [{connector: schedule}]", "egress.0.connector"),
        ("ingress: [{connector: jsonl, path: x}]", "ingress.0.connector"),
        ("egress: [{connector: jsonl, path: x, serializer: xml}]", "egress.0.serializer"),
        (
            "egress: [{connector: jsonl, path: x, serializer: {name: avro, frme: bare}}]",
            "egress.0.serializer",
        ),
        ("egress: [{connector: jsonl, path: x, serializer: {pretty: 1}}]", "egress.0.serializer"),
        ("executor: {name: local, wokers: 2}", "executor"),
        ("executor: dask", "executor"),
        ("state: file", "state"),
        ("state: {source: fiel, path: x}", "state"),
        ("egress: [{connector: jsonl, path: x, select: {stream_type: all}}]", "egress.0.select"),
        ("egress: [{connector: jsonl, path: x, plugin_settings: {}}]", "egress.0"),
    ],
)
def test_a_mistake_is_found_where_it_is(mistakes, text, where):
    found = mistakes(text)
    assert found
    assert all(each.startswith(where) for each in found), found
    # The reader of settings files is of the same opinion.
    with pytest.raises(SettingsError):
        settings_from(read_yaml(text).data)


def test_secrets_are_only_to_be_written(validator):
    then = {
        each["if"]["properties"]["connector"]["const"]: each["then"]
        for each in validator.schema["$defs"]["EgressSettings"]["allOf"]
    }
    assert then["redis"]["properties"]["url"]["writeOnly"] is True
    assert then["redis"]["properties"]["stream"]["description"].startswith("The key")
