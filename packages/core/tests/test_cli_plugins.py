from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from despatch.cli import app
from despatch.plugins import Kind
from despatch.plugins.metadata import CORE, plugin_distributions

SINK = """
from typing import Literal
from pydantic import BaseModel, Field, SecretStr
from despatch.durations import Duration
from despatch.interfaces import EgressConnector, Guarantee, IngressConnector, Receipt

class Settings(BaseModel):
    '''Where to.

    Attributes:
        url: The server, as ``acme://[host]``.
        every: How often.
    '''
    url: SecretStr
    every: Duration = "90s"
    mode: Literal["fast", "safe"] = Field("safe", description="How careful [it] is.")

class Sink(EgressConnector):
    '''Sends records away.

    Far away.
    '''
    Settings = Settings
    guarantee = Guarantee.AT_MOST_ONCE
    uses_serializer = False
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...

class Source(IngressConnector):
    '''Brings commands.'''
    Settings = Settings
    async def open(self): ...
    async def commands(self): yield
    async def acknowledge(self, command, outcome): ...
    async def close(self): ...
"""


@pytest.fixture
def acme(install):
    sink, source = "acme = acme_cli:Sink", "acme = acme_cli:Source"
    entry_points = f"[despatch.egress]\n{sink}\n[despatch.ingress]\n{source}\n"
    install("despatch-acme", entry_points, version="2.1", modules={"acme_cli": SINK})


def plugins(*arguments):
    return CliRunner().invoke(app, ["plugins", *arguments])


def rows(*arguments):
    result = plugins("list", *arguments, "--json")
    assert result.exit_code == 0
    return {(each["kind"], each["name"]): each for each in json.loads(result.stdout)}


def test_the_list_is_quick_and_believes_the_metadata_when_it_is_told_to(install):
    install("acme-torn", "[despatch.egress]\ntorn = acme_torn:Torn\n", modules={"acme_torn": "1/0"})
    assert rows()["egress", "torn"]["status"] == "broken"
    assert rows("--no-check")["egress", "torn"]["status"] == "ready"


def test_what_could_be_installed_is_listed_on_request(monkeypatch):
    own = [each for each in plugin_distributions() if each.name == CORE]
    monkeypatch.setattr("despatch.plugins.catalogue.plugin_distributions", lambda: own)
    assert ("egress", "kafka") not in rows("--no-check")
    row = rows("--no-check", "--available")["egress", "kafka"]
    assert row["status"] == "not installed"
    assert row["hint"] == 'install it: pip install "despatch[kafka]"'


def test_a_plugin_is_described_by_what_it_declares(acme):
    result = plugins("describe", "acme", "--kind", "egress")
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == "acme, egress connector, of despatch-acme 2.1"
    assert {"Sends records away.", "Far away.", "guarantee: at-most-once"} <= {*lines}
    assert {"uses_serializer: no", "needs_thread: no", "class: acme_cli:Sink"} <= {*lines}
    assert "in a settings file: connector: acme under egress" in lines
    table = [line.split(maxsplit=1) for line in lines[-4:]]
    assert [key for key, _ in table] == ["setting", "url", "every", "mode"]
    assert table[1][1].split() == [
        *("secret", "text", "(has", "to", "be", "given)"),
        *("The", "server,", "as", "acme://[host]."),
    ]
    assert "fast or safe" in table[3][1]
    assert "How careful [it] is." in table[3][1]


def test_all_plugins_of_a_name_are_described(acme):
    shown = plugins("describe", "acme").stdout
    assert shown.index("acme, ingress connector") < shown.index("acme, egress connector")


def test_a_description_can_be_read_by_a_machine(acme):
    result = plugins("describe", "acme", "--kind", "egress", "--json")
    (described,) = json.loads(result.stdout)
    assert described["kind"] == "egress"
    assert described["guarantee"] == "at-most-once"
    assert described["capabilities"][0] == {
        "name": "uses_serializer",
        "value": False,
        "help": "Whether `deliver` wants `batch.payloads`.",
    }
    url, every, _ = described["settings"]
    assert (url["key"], url["is_secret"], url["is_required"]) == ("url", True, True)
    assert (every["type"], every["default"], every["help"]) == ("duration", "`90s`", "How often.")
    assert described["schema"]["required"] == ["url"]
    assert described["schema"]["properties"]["url"]["writeOnly"] is True


def test_a_plugin_without_settings_says_so():
    assert "It has no settings of its own." in plugins("describe", "memory").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["akme"], "did you mean 'acme'?"),
        (["nowhere-near"], "no plugin is called 'nowhere-near': `despatch plugins list`"),
        (["acme", "--kind", "serializers"], "no plugin is called 'acme'"),
        (["acme", "--kind", "sinks"], "'sinks' is not one of"),
    ],
)
def test_what_is_not_there_cannot_be_described(acme, arguments, told):
    result = plugins("describe", *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())


def test_a_known_plugin_that_is_missing_comes_with_its_command(monkeypatch):
    own = [each for each in plugin_distributions() if each.name == CORE]
    monkeypatch.setattr("despatch.plugins.catalogue.plugin_distributions", lambda: own)
    result = plugins("describe", "avro")
    assert result.exit_code == 2
    assert 'pip install "despatch[avro]"' in result.output


def test_a_plugin_that_is_broken_is_reported_when_it_is_to_be_described(install):
    install("acme-torn", "[despatch.egress]\ntorn = acme_torn:Torn\n", modules={"acme_torn": "1/0"})
    result = plugins("describe", "torn")
    assert result.exit_code == 2
    assert "'torn' (acme-torn 1.0) is broken" in result.output


def test_every_kind_can_be_asked_for():
    for kind in Kind:
        assert plugins("describe", "nobody", "--kind", kind.value).exit_code == 2
