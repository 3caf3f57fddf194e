from __future__ import annotations

import pytest

from despatch.plugins import Plugins
from despatch.settings.entries import PluginPart
from despatch.settings.schema import PLUGIN_PARTS, schema_of_settings

SINK = """
from pydantic import BaseModel, ConfigDict
from despatch.interfaces import EgressConnector, Guarantee, Receipt

class Inner(BaseModel):
    size: int = 1

class Settings(BaseModel):
    model_config = ConfigDict(extra="allow" if {is_open} else "ignore")
    inner: Inner = Inner()
    inside: "Settings | None" = None

class Sink(EgressConnector):
    Settings = Settings
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...
"""


@pytest.fixture
def install_sink(install):
    def install_sink(name, code):
        module = f"acme_schema_{name}"
        install(
            f"acme-{name}",
            f"[despatch.egress]\n{name} = {module}:Sink\n",
            modules={module: code},
        )

    return install_sink


def parts_of(schema):
    return {
        each["if"]["properties"]["connector"]["const"]: each["then"]
        for each in schema["$defs"]["EgressSettings"]["allOf"]
    }


def test_each_part_with_a_plugin_is_known():
    def parts(cls):
        subclasses = {each for each in cls.__subclasses__() if each.__module__ != __name__}
        return subclasses.union(*map(parts, subclasses))

    assert {each for each in parts(PluginPart) if not each.__name__.startswith("_")} == {
        *PLUGIN_PARTS
    }
    assert len({part.kind for part in PLUGIN_PARTS.values()}) == len(PLUGIN_PARTS)


def test_models_of_one_name_are_kept_apart(install_sink):
    install_sink("one", SINK.format(is_open=False))
    install_sink("two", SINK.format(is_open=False).replace("size: int", "size: str"))
    schema, left_out = schema_of_settings(Plugins())
    assert left_out == []
    one, two = (schema["$defs"][f"egress.{name}.Inner"] for name in ("one", "two"))
    assert one["properties"]["size"]["anyOf"][0]["type"] == "integer"
    assert two["properties"]["size"]["type"] == "string"
    assert parts_of(schema)["one"]["properties"]["inner"]["$ref"] == "#/$defs/egress.one.Inner"


def test_a_model_with_itself_inside_is_a_part_like_others(install_sink):
    install_sink("one", SINK.format(is_open=False))
    schema, _ = schema_of_settings(Plugins())
    assert {"inner", "inside", "connector", "batch"} <= parts_of(schema)["one"]["properties"].keys()


def test_unknown_keys_are_refused_where_the_plugin_does_not_ask_for_them(install_sink):
    install_sink("closed", SINK.format(is_open=False))
    install_sink("open", SINK.format(is_open=True))
    parts = parts_of(schema_of_settings(Plugins())[0])
    assert parts["closed"]["additionalProperties"] is False
    assert parts["open"]["additionalProperties"] is True


def test_a_plugin_that_cannot_be_used_is_left_out_and_named(install_sink):
    install_sink("bad", "1 / 0")
    install_sink("good", SINK.format(is_open=False))
    schema, (reason,) = schema_of_settings(Plugins())
    assert "egress connector 'bad' (acme-bad 1.0) is broken" in reason
    names = schema["$defs"]["EgressSettings"]["properties"]["connector"]["anyOf"][0]["enum"]
    assert "bad" not in names
    assert {"good", "jsonl"} <= {*names}
