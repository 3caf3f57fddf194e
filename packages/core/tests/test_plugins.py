from __future__ import annotations

import sys
from importlib import metadata

import pytest

from despatch.errors import PluginError
from despatch.interfaces import (
    EgressConnector,
    Executor,
    IngressConnector,
    Serializer,
    StateSource,
)
from despatch.plugins import Kind, Plugins, Status
from despatch.plugins.metadata import CORE, plugin_distributions

MODULE = """
from despatch.interfaces import EgressConnector, Guarantee, Receipt
from pydantic import BaseModel

class Sink(EgressConnector):
    Settings = BaseModel
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...

class Half(EgressConnector):
    Settings = BaseModel
    async def open(self): ...

class NoSettings(Sink):
    Settings = dict

class Other: ...

def function(): ...
"""


def acme(install, name="acme", value="acme_module:Sink", distribution="acme-sink", **given):
    given.setdefault("modules", {"acme_module": MODULE})
    return install(distribution, f"[despatch.egress]\n{name} = {value}\n", **given)


def own(plugins, **given):
    return [each for each in plugins.list(**given) if each.distribution.startswith("acme")]


def test_kinds_name_their_groups_and_interfaces():
    assert [kind.group for kind in Kind] == [
        "despatch.ingress",
        "despatch.egress",
        "despatch.serializers",
        "despatch.states",
        "despatch.executors",
        "despatch.commands",
        "despatch.hooks",
    ]
    assert [kind.interface for kind in Kind] == [
        IngressConnector,
        EgressConnector,
        Serializer,
        StateSource,
        Executor,
        object,
        object,
    ]


def test_a_plugin_is_found_by_its_metadata_and_imported_when_loaded(install):
    acme(install, requires=["despatch>=0.1,<0.2"])
    plugins = Plugins(core_version="0.1.0")
    plugin = plugins.find(Kind.EGRESS, "acme")
    assert (plugin.status, plugin.distribution, plugin.version) == (
        Status.READY,
        "acme-sink",
        "1.0",
    )
    assert (plugin.target, plugin.reason, plugin.warning) == ("acme_module:Sink", "", "")
    assert plugin in plugins.list()
    assert "acme_module" not in sys.modules
    cls = plugins.load(Kind.EGRESS, "acme")
    assert issubclass(cls, EgressConnector)
    assert plugins.load(Kind.EGRESS, "acme") is cls


def test_kinds_have_names_of_their_own(install):
    acme(install)
    assert Plugins().find(Kind.INGRESS, "acme").status is Status.NOT_INSTALLED


@pytest.mark.parametrize(
    ("core", "requirement", "status"),
    [
        ("0.1.0", "despatch>=0.1,<0.2", Status.READY),
        ("0.2.0.dev3", "despatch>=0.2,<0.3", Status.READY),
        ("0.2.0rc1", "despatch>=0.2,<0.3", Status.READY),
        ("0.3.0.dev1", "despatch>=0.2,<0.3", Status.INCOMPATIBLE),
        ("0.1.9", "despatch>=0.2,<0.3", Status.INCOMPATIBLE),
        ("0.1.0", "despatch>=9; python_version < '3'", Status.READY),
        ("0.1.0", "despatch", Status.READY),
    ],
)
def test_the_requirement_is_held_against_the_cores_version(install, core, requirement, status):
    acme(install, requires=[requirement])
    assert Plugins(core_version=core).find(Kind.EGRESS, "acme").status is status


def test_an_incompatible_plugin_is_refused_before_it_is_imported(install):
    acme(install, requires=["despatch>=0.2,<0.3"], modules={"acme_module": "1 / 0"})
    plugins = Plugins(core_version="0.1.5")
    with pytest.raises(PluginError) as caught:
        plugins.load(Kind.EGRESS, "acme")
    assert str(caught.value) == (
        "egress connector 'acme' (acme-sink 1.0) is incompatible: "
        "it requires despatch<0.3,>=0.2, and despatch 0.1.5 is installed; "
        "try: pip install --upgrade despatch acme-sink"
    )
    assert "acme_module" not in sys.modules


def test_a_refusal_names_the_version_that_is_installed_to_the_last_digit(install):
    acme(install, requires=["despatch>=0.1,<0.2"])
    plugin = Plugins(core_version="0.2.0.dev3+g1234").find(Kind.EGRESS, "acme")
    assert plugin.reason.endswith("and despatch 0.2.0.dev3+g1234 is installed")


def test_the_installed_cores_own_version_counts_where_none_is_given(install):
    installed = metadata.version("despatch")
    acme(install, requires=[f"despatch=={installed}"])
    acme(install, "other", distribution="acme-other", requires=[f"despatch!={installed}"])
    assert Plugins().find(Kind.EGRESS, "acme").status is Status.READY
    assert Plugins().find(Kind.EGRESS, "other").status is Status.INCOMPATIBLE


def test_every_requirement_counts(install):
    acme(install, requires=["despatch>=0.1", "despatch<0.1.5"])
    assert Plugins(core_version="0.1.5").find(Kind.EGRESS, "acme").status is Status.INCOMPATIBLE


def test_no_requirement_is_ready_with_a_warning(install):
    acme(install, requires=[])
    plugin = Plugins().find(Kind.EGRESS, "acme")
    assert plugin.is_ready
    assert plugin.warning == "it does not say which despatch it works with"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme_module:Half", "acme_module:Half does not implement close, deliver"),
        ("acme_module:NoSettings", "has no `Settings` that is a pydantic model"),
        ("acme_module:Other", "acme_module:Other is not a subclass of EgressConnector"),
        ("acme_module:function", "is not a subclass of EgressConnector"),
        ("acme_module:Missing", "raised AttributeError"),
        ("acme_missing:Sink", "raised ModuleNotFoundError: No module named 'acme_missing'"),
    ],
)
def test_a_class_that_is_no_connector_is_broken(install, value, reason):
    acme(install, value=value)
    with pytest.raises(PluginError) as caught:
        Plugins().load(Kind.EGRESS, "acme")
    assert "egress connector 'acme' (acme-sink 1.0) is broken" in str(caught.value)
    assert reason in str(caught.value)
    assert "pip install --upgrade --force-reinstall acme-sink" in str(caught.value)


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(3)"])
def test_what_an_import_raises_is_kept_as_the_cause(install, code):
    acme(install, modules={"acme_module": code})
    with pytest.raises(PluginError) as caught:
        Plugins().load(Kind.EGRESS, "acme")
    assert isinstance(caught.value.__cause__, ZeroDivisionError | SystemExit)
    assert f"raised {type(caught.value.__cause__).__name__}" in str(caught.value)


def test_one_bad_plugin_hinders_no_other(install):
    acme(install)
    acme(install, "broken", "acme_broken:Sink", "acme-broken", modules={"acme_broken": "1 / 0"})
    acme(install, "odd", distribution="acme-odd", requires=["despatch >= one"])
    acme(install, "new", distribution="acme-new", requires=["despatch>=99"])
    plugins = Plugins(core_version="0.1.0")
    statuses = {each.name: each.status for each in own(plugins, check=True)}
    assert statuses == {
        "acme": Status.READY,
        "broken": Status.BROKEN,
        "odd": Status.BROKEN,
        "new": Status.INCOMPATIBLE,
    }
    assert plugins.load(Kind.EGRESS, "acme").__name__ == "Sink"


def test_entry_points_that_cannot_be_read_hinder_no_other(install):
    acme(install)
    install("acme-garbled", "[despatch.egress]\nno equals sign\n")
    statuses = {each.name: each.status for each in own(Plugins())}
    assert statuses == {"acme": Status.READY, "acme-garbled": Status.BROKEN}


def test_a_list_imports_only_when_it_is_to_check(install):
    acme(install, modules={"acme_module": "1 / 0"})
    plugins = Plugins()
    (plugin,) = own(plugins)
    assert plugin.is_ready
    assert "acme_module" not in sys.modules
    (plugin,) = own(plugins, check=True)
    assert plugin.status is Status.BROKEN
    assert plugin.reason == "importing acme_module:Sink raised ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("kind", "name", "command"),
    [
        (Kind.EGRESS, "nosuchkafka", None),
        (Kind.INGRESS, "parquet", None),
        (Kind.EGRESS, "avro", None),
        (Kind.EGRESS, "parquet", 'pip install "despatch[parquet]"'),
        (Kind.SERIALIZERS, "avro", 'pip install "despatch[avro]"'),
        (Kind.STATES, "sql", 'pip install "despatch[sql]"'),
        (Kind.INGRESS, "kafka", 'pip install "despatch[kafka]"'),
        (Kind.EXECUTORS, "ray", 'pip install "despatch[ray]"'),
    ],
)
def test_a_known_plugin_that_is_missing_comes_with_its_command(monkeypatch, kind, name, command):
    # All of them are installed where every package is tested at once.
    own = [each for each in plugin_distributions() if each.name == CORE]
    monkeypatch.setattr("despatch.plugins.catalogue.plugin_distributions", lambda: own)
    plugin = Plugins().find(kind, name)
    assert plugin.status is Status.NOT_INSTALLED
    assert ("pip install" in plugin.hint) is (command is not None)
    assert (command or "") in plugin.hint


def test_a_misspelt_name_is_met_with_the_nearest(install):
    acme(install)
    with pytest.raises(PluginError) as caught:
        Plugins().load(Kind.EGRESS, "akme")
    assert str(caught.value) == (
        "egress connector 'akme' is not installed: no installed distribution has it; "
        "did you mean 'acme'?"
    )


def test_two_distributions_with_one_name_are_both_refused(install):
    acme(install)
    acme(install, distribution="acme-rival", version="3.0")
    plugins = Plugins()
    assert [each.status for each in own(plugins)] == [Status.DUPLICATE] * 2
    with pytest.raises(PluginError) as caught:
        plugins.load(Kind.EGRESS, "acme")
    assert "acme-sink 1.0" in str(caught.value)
    assert "acme-rival 3.0" in str(caught.value)


def test_a_rival_that_cannot_be_used_is_none(install):
    acme(install)
    acme(install, distribution="acme-rival", requires=["despatch>=99"])
    plugin = Plugins(core_version="0.1.0").find(Kind.EGRESS, "acme")
    assert (plugin.status, plugin.distribution) == (Status.READY, "acme-sink")


def test_naming_one_distribution_in_the_allow_list_settles_a_rivalry(install):
    acme(install)
    acme(install, distribution="acme-rival")
    plugins = Plugins(allowed=["acme-rival"])
    assert plugins.find(Kind.EGRESS, "acme").distribution == "acme-rival"


def test_what_comes_with_the_core_is_not_displaced(install):
    install("Despatch", "[despatch.egress]\nownsink = acme_module:Sink\n", requires=[])
    acme(install, "ownsink")
    plugins = Plugins(allowed=["ownsink"])
    assert plugins.find(Kind.EGRESS, "ownsink").is_built_in
    (rival,) = own(plugins)
    assert rival.status is Status.DUPLICATE


def test_an_allow_list_names_plugins_or_distributions(install):
    acme(install)
    for allowed in (["acme"], ["acme-sink"], ["Acme.Sink"], None):
        assert Plugins(allowed=allowed).find(Kind.EGRESS, "acme").is_ready
    for allowed in ([], ["other"]):
        with pytest.raises(PluginError, match=r"acme-sink 1.0\) is not allowed: .*`plugins`"):
            Plugins(allowed=allowed).load(Kind.EGRESS, "acme")
    assert "acme_module" not in sys.modules


def test_what_comes_with_the_core_is_always_allowed(install):
    install(
        "despatch",
        "[despatch.egress]\nownsink = acme_module:Sink\n",
        modules={"acme_module": MODULE},
    )
    assert Plugins(allowed=[]).load(Kind.EGRESS, "ownsink").__name__ == "Sink"


@pytest.mark.parametrize(
    ("variable", "allowed", "is_ready"),
    [
        ("acme", None, True),
        (" other , acme ", None, True),
        ("other", None, False),
        ("", None, True),
        (" , ", None, True),
        ("acme", ["acme"], True),
        ("acme", ["other"], False),
        ("other", ["acme"], False),
    ],
)
def test_the_environment_limits_plugins_further(install, monkeypatch, variable, allowed, is_ready):
    acme(install)
    monkeypatch.setenv("DESPATCH_PLUGINS", variable)
    assert Plugins(allowed=allowed).find(Kind.EGRESS, "acme").is_ready is is_ready
