from __future__ import annotations

import json
import os
import sys

import pytest

from despatch.errors import SettingsError
from despatch.interfaces import EgressConnector
from despatch.plugins import Plugins
from despatch.settings import Settings
from despatch.settings.file import (
    check_model,
    load_settings,
    raw_settings,
    resolve,
    settings_from,
)

MODULE = """
from despatch.interfaces import EgressConnector, Executor, Guarantee, Serializer
from pydantic import BaseModel, ConfigDict, SecretStr

class SinkSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    port: int = 1
    password: SecretStr | None = None

class Sink(EgressConnector):
    Settings = SinkSettings
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): ...
    async def close(self): ...

class JsonSettings(BaseModel): ...

class Json(Serializer):
    Settings = JsonSettings
    content_type = "application/json"
    def encode(self, records, target): ...
    async def decode(self, payload): ...

class Local(Executor):
    Settings = JsonSettings
    workers = 1
    async def open(self): ...
    async def run(self, task): ...
    async def close(self): ...
"""
ENTRY_POINTS = (
    "[despatch.egress]\nsink = acme_file:Sink\n[despatch.serializers]\njson = acme_file:Json\n"
    "[despatch.executors]\nlocal = acme_file:Local\n"
)


@pytest.fixture(autouse=True)
def _core(install, tmp_path, monkeypatch):
    install("despatch", ENTRY_POINTS, modules={"acme_file": MODULE})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.delenv("MISSING", raising=False)
    before = set(sys.modules)
    yield
    for name in {"own_line"} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "line_a.yaml"
        path.write_text(text)
        return path

    return write


def problems_of(call, *args, **kwargs):
    with pytest.raises(SettingsError) as caught:
        call(*args, **kwargs)
    return [(each.line, each.where, each.message) for each in caught.value.problems]


def test_a_file_is_read(write):
    settings = load_settings(
        write(
            "name: line_a\n"
            "clock: {factor: 1.0, until: 8h, start: 2026-01-05T06:00:00+00:00}\n"
            "egress:\n"
            "  - {connector: sink, url: '${HOST:-localhost}', password: '${PASSWORD}'}\n"
            "  - {connector: sink, url: x, select: {stream_type: event}}\n"
        )
    )
    assert settings.name == "line_a"
    assert [sink.name for sink in settings.egress] == ["sink", "sink-2"]
    assert settings.egress[0].plugin_settings == {"url": "localhost", "password": "hunter2"}
    assert settings.reveal()["egress"][0]["password"] == "hunter2"
    assert "hunter2" not in f"{settings!r}{settings}{settings.model_dump()}"


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_is_all_defaults(write, text):
    assert load_settings(write(text)) == Settings()


def test_every_mistake_is_found_at_once_in_the_order_of_the_file(write):
    path = write(
        "name: line a\n"  # 1
        "seed: 1\n"
        "seed: 2\n"  # 3
        "clok: {factor: 1}\n"  # 4
        "clock:\n"
        "  factor: -1\n"  # 6
        "  start: 2026-01-05T06:00:00\n"  # 7
        "egress:\n"
        "  - connector: sink\n"  # 9: url is missing
        "    batch:\n"
        "      records: 0\n"  # 11
        "      recods: 5\n"  # 12
        "    pasword: hunter2\n"  # 13
        "  - connector: snik\n"  # 14
        "    name: x\n"
        "  - connector: sink\n"
        "    name: x\n"  # 17
        "    url: ${MISSING}\n"  # 18
        "    port: ${PASSWORD}\n"  # 19
        "    select: {where: {size: {less: 5}}}\n"  # 20
        "    retry: {attempts: 0, initial: never}\n"  # 21, twice
    )
    found = problems_of(load_settings, path)
    assert [(line, where) for line, where, _ in found] == [
        (1, "name"),
        (3, "seed"),
        (4, "clok"),
        (6, "clock.factor"),
        (7, "clock.start"),
        (9, "egress[0].url"),
        (11, "egress[0].batch.records"),
        (12, "egress[0].batch.recods"),
        (13, "egress[0].pasword"),
        (14, "egress[1].connector"),
        (17, "egress[2].name"),
        (18, "egress[2].url"),
        (19, "egress[2].port"),
        (20, "egress[2].select.where.size.less"),
        (21, "egress[2].retry.initial"),
        (21, "egress[2].retry.attempts"),
    ]
    messages = {where: message for _, where, message in found}
    assert messages["egress[0].batch.records"] == "expected a whole number of at least 1, got 0"
    assert messages["egress[0].batch.recods"] == "unknown setting: did you mean 'records'?"
    assert messages["egress[0].pasword"] == "unknown setting: did you mean 'password'?"
    assert messages["clok"] == "unknown setting: did you mean 'clock'?"
    assert messages["egress[1].connector"].endswith("did you mean 'sink'?")
    assert messages["egress[2].port"] == (
        "expected a whole number, got what ${PASSWORD} stands for"
    )
    assert messages["egress[2].select.where.size.less"] == (
        "expected 'lt', 'le', 'gt' or 'ge', got 'less'"
    )
    assert "hunter2" not in str(found)


def test_the_error_reads_as_lines_of_the_file(write):
    path = write("clock:\n  factor: fast\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value) == f"{path}:2: clock.factor: expected a number, got 'fast'"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a: [1\nb: 2", 2, "expected YAML: "),
        (b"- a\n", 1, "expected a mapping of settings"),
        (b"name: \xff", None, "expected UTF-8 text: byte 6 is none"),
        (b"#" * (1024 * 1024 + 1), None, "expected at most 1048576 bytes"),
        (b"a: " + b"[" * 100, 1, "expected at most 32 levels of nesting"),
    ],
)
def test_a_file_that_is_no_settings_at_all_is_one_mistake(tmp_path, content, line, message):
    path = tmp_path / "line_a.yaml"
    path.write_bytes(content)
    for read in (load_settings, raw_settings):
        ((found, where, told),) = problems_of(read, path)
        assert (found, where) == (line, "file")
        assert told.startswith(message)


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    assert problems_of(load_settings, tmp_path / "absent.yaml") == [
        (None, "file", "cannot be read: No such file or directory")
    ]
    assert problems_of(load_settings, tmp_path) == [
        (None, "file", "cannot be read: Is a directory")
    ]


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "line_a.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: line_a\n")
    assert load_settings(path).name == "line_a"


def test_nothing_is_imported_or_loaded_that_the_file_does_not_name(write):
    load_settings(write("model: own_line:build\n"))
    assert "acme_file" not in sys.modules
    assert "own_line" not in sys.modules


def test_the_files_own_list_limits_its_plugins(write, install):
    install("acme-other", "[despatch.egress]\nother = acme_file:Sink\n")
    entries = "egress: [{connector: other, url: x}]\n"
    assert load_settings(write(entries)).egress[0].connector == "other"
    ((_, where, message),) = problems_of(load_settings, write(f"plugins: []\n{entries}"))
    assert where == "egress[0].connector"
    assert "not allowed" in message
    given = load_settings(write(f"plugins: []\n{entries}"), plugins=Plugins())
    assert given.plugins == []


def test_overrides_take_the_files_place(write):
    path = write(
        "clock: {factor: '${MISSING}'}\n"
        "seed: x\n"
        "parameters: {Line_A.lathe.capacity: 1, Line_A.speed: 2}\n"
    )
    settings = load_settings(
        path,
        overrides={
            "clock.factor": 0.5,
            "clock.until": "8h",
            "seed": "7",
            "parameters.Line_A.lathe.capacity": "3",
            "parameters": {"Line_A.kind": {"family": "constant", "value": "${x}"}},
            "journal": {"flush": {"interval": "50ms"}},
        },
    )
    assert settings.clock.factor == 0.5
    assert settings.clock.until.total_seconds() == 28_800
    assert settings.seed == 7
    assert settings.parameters == {
        "Line_A.lathe.capacity": "3",
        "Line_A.speed": 2,
        "Line_A.kind": {"family": "constant", "value": "${x}"},
    }
    assert settings.journal.flush.interval.total_seconds() == 0.05


def test_a_mistake_in_an_override_has_no_line(write):
    path = write("clock: {factor: 1}\negress: 5\n")
    found = problems_of(
        load_settings, path, overrides={"clock.factor": "fast", "clok.until": 1, "egress.a": 1}
    )
    assert [(line, where) for line, where, _ in found] == [
        (2, "egress"),
        (None, "clock.factor"),
        (None, "clok"),
    ]


def test_the_raw_settings_keep_their_references(write):
    path = write("name: line_a\negress: [{connector: sink, url: x, password: '${PASSWORD}'}]\n")
    raw = raw_settings(path)
    assert raw["egress"][0]["password"] == "${PASSWORD}"
    assert resolve(raw)["egress"][0]["password"] == "hunter2"
    stored = json.loads(json.dumps(raw))
    assert settings_from(stored) == load_settings(path)
    assert settings_from(stored).reveal() == load_settings(path).reveal()


def test_resolving_says_every_reference_without_a_value():
    assert [(line, where) for line, where, _ in problems_of(resolve, {"a": ["${MISSING}"]})] == [
        (None, "a[0]")
    ]


def test_a_mapping_is_read_like_a_file():
    settings = settings_from({"egress": [{"connector": "sink", "url": "${PASSWORD}"}]})
    assert settings.egress[0].plugin_settings == {"url": "hunter2"}
    with pytest.raises(SettingsError) as caught:
        settings_from({"egress": [{"connector": "sink"}]}, source="run 7")
    assert str(caught.value) == "run 7: egress[0].url: is required"


def test_a_mapping_may_have_live_connectors_in_it():
    class Live(EgressConnector):
        def __init__(self):
            pass

        async def open(self):
            pass

        async def deliver(self, batch):
            pass

        async def close(self):
            pass

    live = Live()
    settings = settings_from({"egress": [{"connector": live}], "courier": {"host": "thread"}})
    assert settings.egress[0].connector is live
    ((_, where, message),) = problems_of(settings_from, {"egress": [{"connector": live}]})
    assert where == "egress[0].connector"
    assert "courier: {host: thread}" in message


def test_settings_that_were_dumped_ask_for_their_secrets():
    data = {"egress": [{"connector": "sink", "url": "x", "password": "hunter2"}]}
    dumped = settings_from(data).model_dump(mode="json")
    assert dumped["egress"][0]["url"] == "x"
    assert [where for _, where, _ in problems_of(settings_from, dumped)] == ["egress[0].password"]


def test_the_model_is_checked_along_with_the_rest(write):
    found = problems_of(
        load_settings, write("seed: x\nmodel: own_missing:build\n"), import_model=True
    )
    assert [(line, where) for line, where, _ in found] == [(1, "seed"), (2, "model")]
    assert "there is no module 'own_missing'" in found[1][2]


def test_a_model_is_required_where_it_is_to_be_imported(write):
    ((line, where, message),) = problems_of(load_settings, write("seed: 1\n"), import_model=True)
    assert (line, where) == (1, "model")
    assert message.startswith("is required")


def test_a_models_name_is_refused_once(write):
    ((_, where, message),) = problems_of(load_settings, write("model: x\n"), import_model=True)
    assert (where, message) == ("model", "expected module:callable, such as line_a:build, got 'x'")


def test_a_model_that_came_by_a_reference_is_not_shown(write, monkeypatch):
    monkeypatch.setenv("MODEL", "hunter2:build")
    ((_, _, message),) = problems_of(load_settings, write("model: ${MODEL}\n"), import_model=True)
    assert message == "cannot be imported, got what ${MODEL} stands for"


def test_a_model_that_can_be_imported_is_no_problem(write, tmp_path):
    (tmp_path / "own_line.py").write_text("def build(env): ...\n")
    settings = load_settings(write("model: own_line:build\n"), import_model=True)
    assert check_model(settings) is None


def test_checking_a_model_gives_the_problem():
    assert check_model(Settings()).message.startswith("is required")
    problem = check_model(Settings(model="own_missing:build"))
    assert problem.where == "model"
    assert os.getcwd() in problem.message


def test_metrics_without_their_library_are_a_mistake_that_says_what_to_install(write, monkeypatch):
    path = write("name: line\nmetrics: {port: 9000}\n")
    assert load_settings(path).metrics.port == 9000
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    (problem,) = caught.value.problems
    assert (problem.where, problem.line) == ("metrics", 2)
    assert problem.message.endswith('install it: pip install "despatch[metrics]"')
    load_settings(write("name: line\n"))
