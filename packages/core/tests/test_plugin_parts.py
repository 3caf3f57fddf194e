from __future__ import annotations

import sys

import pytest

from despatch.interfaces import EgressConnector
from despatch.plugins import Plugins
from despatch.settings import Settings
from despatch.settings.plugin_parts import PluginParts
from despatch.settings.references import HIDDEN, substitute

MODULE = """
from typing import Any
from despatch.interfaces import EgressConnector, Guarantee, IngressConnector, Serializer
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

class SinkSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    stream: str = "s"
    password: SecretStr | None = None
    options: dict[str, Any] = {}

class Sink(EgressConnector):
    Settings = SinkSettings
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): ...
    async def close(self): ...

class LaxSettings(BaseModel):
    stream: str = "s"

class Plain(Sink):
    Settings = LaxSettings
    uses_serializer = False

class Local(Plain):
    needs_thread = True

class FaultySettings(BaseModel):
    url: str = ""
    @model_validator(mode="after")
    def _fail(self):
        raise KeyError(self.url)

class Faulty(Sink):
    Settings = FaultySettings

class SourceSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str

class Source(IngressConnector):
    Settings = SourceSettings
    async def open(self): ...
    async def commands(self): yield
    async def acknowledge(self, command, outcome): ...
    async def close(self): ...

class Timer(Source):
    uses_serializer = False

class Text(Serializer):
    Settings = SinkSettings
    content_type = "text/plain"
    def encode(self, records, target): ...
    async def decode(self, payload): ...
"""
ENTRY_POINTS = """
[despatch.ingress]
source = acme_parts:Source
timer = acme_parts:Timer
[despatch.egress]
sink = acme_parts:Sink
plain = acme_parts:Plain
local = acme_parts:Local
faulty = acme_parts:Faulty
broken = acme_broken:Sink
[despatch.serializers]
text = acme_parts:Text
json = acme_parts:Text
"""


class Live(EgressConnector):
    def __init__(self):
        pass

    async def open(self):
        pass

    async def deliver(self, batch):
        pass

    async def close(self):
        pass


@pytest.fixture
def problems(install):
    install(
        "despatch",
        ENTRY_POINTS.replace("json = acme_parts:Text\n", "json = acme_json:Json\n"),
        modules={
            "acme_parts": MODULE,
            "acme_broken": "1 / 0",
            "acme_json": "from acme_parts import LaxSettings, Text\n"
            "class Json(Text):\n    Settings = LaxSettings\n",
        },
    )

    def found(**data):
        return PluginParts(data, Plugins()).problems

    return found


def test_parts_that_their_plugins_take_are_no_problem(problems):
    assert (
        problems(
            ingress=[{"connector": "source", "url": "x", "allow": ["*"]}],
            egress=[
                {"connector": "sink", "url": "x", "batch": {"records": 5}},
                {"connector": "sink", "url": "x", "serializer": {"name": "text", "url": "y"}},
                {"connector": "plain"},
            ],
        )
        == []
    )


def test_every_mistake_in_a_plugins_part_is_said_under_its_entry(problems):
    found = problems(
        ingress=[{"connector": "source"}],
        egress=[
            {"connector": "sink", "urll": "x", "stream": 5},
            {"connector": "sink", "url": "x", "bach": {}},
        ],
    )
    assert found == [
        (("ingress", 0, "url"), "is required"),
        (("egress", 0, "url"), "is required"),
        (("egress", 0, "stream"), "expected text, got 5"),
        (("egress", 0, "urll"), "unknown setting: did you mean 'url'?"),
        (("egress", 1, "bach"), "unknown setting: did you mean 'batch'?"),
    ]


def test_a_plugin_that_would_overlook_a_key_is_not_asked(problems):
    assert problems(egress=[{"connector": "plain", "steam": "x"}]) == [
        (("egress", 0, "steam"), "unknown setting: did you mean 'stream'?")
    ]


def test_a_plugin_that_cannot_be_used_is_said_where_it_is_named(problems):
    found = problems(
        egress=[
            {"connector": "parquet", "uri": "x"},
            {"connector": "broken"},
            {"connector": "sink", "url": "x", "serializer": "txet"},
            {"connector": "sink", "url": "x", "serializer": {"name": "avro"}},
        ]
    )
    assert [where for where, _ in found] == [
        ("egress", 0, "connector"),
        ("egress", 1, "connector"),
        ("egress", 2, "serializer"),
        ("egress", 3, "serializer", "name"),
    ]
    messages = [message for _, message in found]
    assert 'pip install "despatch[parquet]"' in messages[0]
    assert "raised ZeroDivisionError" in messages[1]
    assert "did you mean 'text'?" in messages[2]
    assert 'pip install "despatch[avro]"' in messages[3]


def test_only_what_is_named_is_imported(problems):
    assert problems(egress=[{"connector": "plain"}]) == []
    assert "acme_broken" not in sys.modules
    assert "acme_json" not in sys.modules


def test_a_serializers_part_is_held_against_the_serializer(problems):
    found = problems(
        egress=[
            {"connector": "sink", "url": "x", "serializer": {"name": "text", "url": 5, "a": 1}},
            {"connector": "sink", "url": "x", "serializer": "text"},
        ]
    )
    assert [where for where, _ in found] == [
        ("egress", 0, "serializer", "url"),
        ("egress", 0, "serializer", "a"),
        ("egress", 1, "serializer", "url"),
    ]


def test_the_serializer_of_a_source_is_held_against_its_plugin_too(problems):
    found = problems(
        ingress=[
            {"connector": "source", "url": "x"},
            {"connector": "source", "name": "b", "url": "x", "serializer": {"name": "text"}},
            {"connector": "source", "name": "c", "url": "x", "serializer": "morse"},
            {"connector": "timer", "url": "x", "serializer": "text"},
        ]
    )
    assert [where for where, _ in found] == [
        ("ingress", 1, "serializer", "url"),
        ("ingress", 2, "serializer"),
        ("ingress", 3, "serializer"),
    ]
    assert "'morse' is not installed" in found[1][1]
    assert found[2][1] == "expected none: this connector uses no serializer"


def test_a_connector_without_a_serializer_takes_none_but_the_default(problems):
    assert problems(egress=[{"connector": "plain", "serializer": {"name": "json"}}]) == []
    assert problems(egress=[{"connector": "plain", "serializer": "text"}]) == [
        (("egress", 0, "serializer"), "expected none: this connector uses no serializer")
    ]


@pytest.mark.parametrize("courier", [None, {}, {"host": "process"}])
def test_a_connector_that_needs_the_thread_host_says_so(problems, courier):
    data = {} if courier is None else {"courier": courier}
    message = "lives in the simulator's own process: it needs `courier: {host: thread}`"
    assert problems(egress=[{"connector": "local"}, {"connector": Live()}], **data) == [
        (("egress", 0, "connector"), message),
        (("egress", 1, "connector"), message),
    ]


def test_under_the_thread_host_a_connector_may_be_live(problems):
    egress = [{"connector": "local"}, {"connector": Live()}]
    assert problems(egress=egress, courier={"host": "thread"}) == []


def test_a_live_connector_takes_no_settings(problems):
    found = problems(egress=[{"connector": Live(), "url": "x"}], courier={"host": "thread"})
    assert found == [
        (("egress", 0, "url"), "unknown setting: a live connector has its settings already")
    ]


def test_every_name_that_comes_again_is_said(problems):
    one = {"connector": "plain", "name": "x"}
    assert problems(egress=[one, {"connector": "plain"}, one, one]) == [
        (("egress", 2, "name"), "expected another name than that of egress[0]"),
        (("egress", 3, "name"), "expected another name than that of egress[0]"),
    ]


def test_a_plugin_whose_check_fails_is_named_without_what_it_says(problems):
    assert problems(egress=[{"connector": "faulty", "url": "hunter2"}]) == [
        (("egress", 0), "the plugin's own check failed with KeyError")
    ]


def test_what_was_stored_without_its_secrets_asks_for_them(problems):
    assert problems(egress=[{"connector": "sink", "url": HIDDEN}]) == [
        (
            ("egress", 0, "url"),
            "was hidden when these settings were stored: it has to be given again",
        )
    ]


def test_a_plugins_name_that_came_by_a_reference_is_not_shown(problems, monkeypatch):
    monkeypatch.setenv("SINK", "hunter2")
    data, _ = substitute({"egress": [{"connector": "${SINK}"}]})
    assert problems(**data) == [
        (
            ("egress", 0, "connector"),
            "expected the name of a usable egress connector, got what ${SINK} stands for",
        )
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"egress": 5},
        {"egress": [5, None, "sink"]},
        {"egress": [{}, {"connector": None}, {"connector": 5}, {"connector": ""}]},
        {"egress": [{"connector": "plain", "name": 5}]},
        {"ingress": [{"connector": "source", "url": "x"}], "courier": 5},
    ],
)
def test_what_the_core_refuses_itself_is_passed_over(problems, data):
    assert problems(**data) == []


def test_settings_are_told_what_may_be_shown(problems, monkeypatch):
    monkeypatch.setenv("HOST", "db.internal")
    data, _ = substitute(
        {
            "ingress": [
                {
                    "connector": "source",
                    "url": "x",
                    "serializer": {"name": "text", "url": "y", "password": "hunter2"},
                }
            ],
            "egress": [
                {
                    "connector": "sink",
                    "url": "${HOST}",
                    "stream": "s",
                    "password": "hunter2",
                    "options": {"a": [1]},
                    "serializer": {"name": "text", "url": "y", "password": "hunter2"},
                }
            ],
        }
    )
    settings = Settings.model_validate(data)
    parts = PluginParts(data, Plugins())
    assert parts.problems == []
    parts.show_in(settings)
    shown = settings.model_dump()
    source = shown["ingress"][0]
    assert source["url"] == "x"
    assert source["serializer"] == {"name": "text", "url": "y", "password": HIDDEN}
    sink = shown["egress"][0]
    assert (sink["url"], sink["password"], sink["stream"]) == (HIDDEN, HIDDEN, "s")
    assert sink["options"] == {"a": [1]}
    assert sink["serializer"] == {"name": "text", "url": "y", "password": HIDDEN}
    assert "hunter2" not in f"{settings!r}{settings.model_dump_json()}"
    assert "db.internal" not in f"{settings!r}{settings.model_dump_json()}"
    revealed = settings.reveal()
    assert revealed["egress"][0]["password"] == "hunter2"
    assert revealed["ingress"][0]["serializer"]["password"] == "hunter2"


UNMAKABLE = """
from acme_parts import Sink, Source, Text

class Costly(Sink):
    def __init__(self, settings):
        super().__init__(settings)
        raise ValueError(f"no licence for {settings.password.get_secret_value()}")

class Lost(Source):
    def __init__(self, settings, *, simulation):
        raise SystemExit(f"unknown simulation {simulation}")

class Mute(Text):
    def __init__(self, settings):
        raise OSError("no voice")
"""


@pytest.fixture
def unmakable(install):
    install(
        "acme-unmakable",
        "[despatch.egress]\ncostly = acme_unmakable:Costly\nfine = acme_parts:Sink\n"
        "[despatch.ingress]\nlost = acme_unmakable:Lost\n"
        "[despatch.serializers]\nmute = acme_unmakable:Mute\n",
        modules={"acme_parts": MODULE, "acme_unmakable": UNMAKABLE},
    )
    costly = {"connector": "costly", "url": "x", "password": "hunter2hunter2"}
    fine = {"connector": "fine", "url": "x", "serializer": {"name": "mute", "url": "x"}}
    return {
        "name": "line_a",
        "ingress": [{"connector": "lost", "url": "x"}],
        "egress": [costly, fine],
    }


def test_a_plugin_that_cannot_be_made_is_a_mistake_where_it_is_named(unmakable):
    found = dict(PluginParts(unmakable, Plugins(), is_making=True).problems)
    assert [*found] == [
        ("ingress", 0, "connector"),
        ("egress", 0, "connector"),
        ("egress", 1, "serializer", "name"),
    ]
    lost, costly, mute = found.values()
    assert "ingress connector 'lost' (acme-unmakable 1.0) is broken" in lost
    assert "raised SystemExit: unknown simulation line_a" in lost
    assert "raised OSError: no voice" in mute
    # What a constructor says may have been told to it.
    assert f"raised ValueError: no licence for {HIDDEN}" in costly
    assert "hunter2" not in costly


def test_nothing_is_made_where_nobody_asks_for_it(unmakable):
    assert PluginParts(unmakable, Plugins()).problems == []


def test_what_has_mistakes_is_not_made(unmakable):
    unmakable["ingress"][0]["url"] = ["no text"]
    found = dict(PluginParts(unmakable, Plugins(), is_making=True).problems)
    assert ("ingress", 0, "connector") not in found
    assert ("ingress", 0, "url") in found
