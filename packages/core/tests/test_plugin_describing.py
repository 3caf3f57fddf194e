from __future__ import annotations

import json

import pytest

from despatch.errors import PluginError
from despatch.plugins import Kind, Plugins
from despatch.plugins.describing import Capability, describe

SINK = """
from collections.abc import Callable
from pydantic import BaseModel, Field, SecretStr
from despatch.durations import Duration
from despatch.interfaces import EgressConnector, Guarantee, Receipt

class Settings(BaseModel):
    '''Where to.

    Attributes:
        url: The server.
    '''
    url: SecretStr
    every: Duration = "90s"
    rate: Callable[[], int] = len

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
"""


@pytest.fixture
def describe_sink(install):
    def made(code=SINK):
        entry_points = "[despatch.egress]\nacme = acme_module:Sink\n"
        install("despatch-acme", entry_points, modules={"acme_module": code})
        plugins = Plugins()
        plugin = plugins.find(Kind.EGRESS, "acme")
        return describe(plugin, plugins.load(Kind.EGRESS, "acme"))

    return made


def test_a_description_says_what_a_plugin_declares(describe_sink):
    found = describe_sink()
    assert (found.kind, found.name) == (Kind.EGRESS, "acme")
    assert (found.distribution, found.version) == ("despatch-acme", "1.0")
    assert found.target == "acme_module:Sink"
    assert (found.summary, found.text) == ("Sends records away.", "Far away.")
    assert found.usage == "`connector: acme` under `egress`"
    assert found.guarantee == "at-most-once"
    assert {each.name: each.value for each in found.capabilities} == {
        "uses_serializer": False,
        "needs_thread": False,
    }
    assert [each.key for each in found.settings] == ["url", "every", "rate"]


def test_a_capability_is_explained_by_the_interface(describe_sink):
    help_ = "Whether `deliver` wants `batch.payloads`."
    assert Capability("uses_serializer", False, help_) in describe_sink().capabilities


def test_what_is_not_documented_is_said(describe_sink):
    found = describe_sink()
    assert [each.partition(" is not")[0] for each in found.undocumented] == [
        "acme_module.Settings.every",
        "acme_module.Settings.rate",
    ]
    assert found.settings[1].help == ""


def test_the_schema_says_what_a_settings_file_may_say(describe_sink):
    properties = describe_sink().schema["properties"]
    assert properties["url"]["writeOnly"] is True
    assert properties["url"]["description"] == "The server."
    assert properties["every"]["default"] == "90s"
    # Nothing that JSON Schema can say: anything goes.
    assert "type" not in properties["rate"]


@pytest.mark.parametrize("plugin", Plugins().list(), ids=lambda each: f"{each.kind} {each.name}")
def test_what_comes_with_despatch_is_described_and_documented(plugin):
    if not plugin.is_built_in:
        pytest.skip("not despatch's own")
    found = describe(plugin, Plugins().load(plugin.kind, plugin.name))
    assert found.undocumented == ()
    json.dumps(found.schema, allow_nan=False)


def test_a_hook_plugin_is_described_by_the_hooks_that_it_implements(install):
    code = """'''Pages somebody.'''
from despatch.hooks import hookimpl
@hookimpl
def despatch_run_finished(report): ...
"""
    entry_points = "[despatch.hooks]\npager = pager_module\n"
    install("despatch-pager", entry_points, modules={"pager_module": code})
    plugins = Plugins()
    found = describe(plugins.find(Kind.HOOKS, "pager"), plugins.load(Kind.HOOKS, "pager"))
    assert found.summary == "Pages somebody."
    assert [each.name for each in found.capabilities] == ["despatch_run_finished"]
    assert found.capabilities[0].help.startswith("The run has ended")
    assert (found.settings, found.schema) == ((), {})


def test_a_model_that_raises_is_its_plugins_fault(describe_sink):
    code = SINK.replace("Callable[[], int] = len", "int = Field(default_factory=lambda: 1 / 0)")
    with pytest.raises(PluginError, match=r"despatch-acme 1\.0\) is broken.*ZeroDivisionError"):
        describe_sink(code)
