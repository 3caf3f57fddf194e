from __future__ import annotations

import re
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from despatch.errors import ScaffoldError
from despatch.plugins import Kind
from despatch.scaffold import Project, ProjectKind
from despatch.scaffold.project import requirement_on


def test_a_name_is_in_the_names_of_all_that_is_made():
    project = Project.of(ProjectKind.CONNECTOR, "my-broker2")
    assert project.distribution == "despatch-connector-my-broker2"
    assert project.module == "despatch_connector_my_broker2"
    assert [(part.kind, part.role, part.class_name) for part in project.parts] == [
        (Kind.EGRESS, "egress", "MyBroker2Egress"),
        (Kind.INGRESS, "ingress", "MyBroker2Ingress"),
    ]
    assert project.author == "the despatch-connector-my-broker2 authors"


@pytest.mark.parametrize("kind", ProjectKind)
def test_each_kind_has_plugins_of_its_own(kind):
    project = Project.of(kind, "x")
    assert project.distribution == f"despatch-{kind}-x"
    assert set(project.plugins).isdisjoint(project.other_plugins)
    every = {Kind.EGRESS, Kind.INGRESS, Kind.SERIALIZERS, Kind.STATES, Kind.EXECUTORS}
    assert {*project.plugins, *project.other_plugins} == every


@pytest.mark.parametrize("only", [Kind.EGRESS, Kind.INGRESS])
def test_a_connector_may_go_one_way_only(only):
    project = Project.of(ProjectKind.CONNECTOR, "x", only=only)
    assert project.plugins == (only,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "got ''"),
        ("My_Broker", "got 'My_Broker'; did you mean 'my-broker'?"),
        ("MyBroker", "did you mean 'my-broker'?"),
        ("my broker", "did you mean 'my-broker'?"),
        ("my--broker", "did you mean 'my-broker'?"),
        ("-x", "did you mean 'x'?"),
        ("2x", "such as my-broker; got '2x'"),
        ("../x", "did you mean 'x'?"),
        ("größe", "got 'größe'"),
        ("x\n", "did you mean 'x'?"),
        ("x\0", "did you mean 'x'?"),
        ("class", "'class' is a keyword of Python"),
        ("despatch-connector-mqtt", "not its distribution; .*; did you mean 'mqtt'?"),
        ("x" * 31, "at most 30 characters, got 31"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(name, said):
    with pytest.raises(ScaffoldError, match=rf"^name: .*{said.replace('?', '[?]')}"):
        Project.of(ProjectKind.CONNECTOR, name)


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (ProjectKind.CONNECTOR, "jsonl", "egress connector 'jsonl' is there already, from desp"),
        (ProjectKind.CONNECTOR, "schedule", "ingress connector 'schedule' is there already"),
        (ProjectKind.SERIALIZER, "json", "serializer 'json' is there already, from despatch "),
        (ProjectKind.CONNECTOR, "redis", "despatch-connector-redis is published with despatch"),
        (ProjectKind.SERIALIZER, "avro", "despatch-serializer-avro is published with despatch"),
    ],
)
def test_a_name_that_is_taken_is_refused(kind, name, said):
    with pytest.raises(ScaffoldError, match=rf"{said}.*choose another name"):
        Project.of(kind, name)


def test_a_name_is_taken_where_the_plugin_may_not_be_loaded_too(monkeypatch, tmp_path):
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[despatch.egress]\nodd = stranger:Odd\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DESPATCH_PLUGINS", "another")
    with pytest.raises(ScaffoldError, match=r"'odd' is there already, from stranger 1\.0"):
        Project.of(ProjectKind.CONNECTOR, "odd")
    Project.of(ProjectKind.CONNECTOR, "odd", only=Kind.INGRESS)
    Project.of(ProjectKind.STATE, "odd")


def test_a_distribution_that_is_installed_is_not_made_again(monkeypatch, tmp_path):
    info = tmp_path / "despatch_state_odd-1.0.dist-info"
    info.mkdir()
    text = "Metadata-Version: 2.1\nName: despatch-state-odd\nVersion: 1.0\n"
    (info / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ScaffoldError, match=r"despatch-state-odd 1\.0 is installed already"):
        Project.of(ProjectKind.STATE, "odd")


@pytest.mark.parametrize("author", ["", "  ", "one\ntwo", "\x1b[31m"])
def test_an_author_has_a_name(author):
    with pytest.raises(ScaffoldError, match=r"^author: expected a name, got"):
        Project.of(ProjectKind.CONNECTOR, "x", author=author)


@given(st.sampled_from(ProjectKind), st.text(max_size=40) | st.from_regex(r"[a-z0-9-]{1,40}"))
def test_a_name_is_refused_or_makes_names_that_packagers_and_python_take(kind, name):
    try:
        project = Project.of(kind, name)
    except ScaffoldError as error:
        proposed = re.search(r"did you mean '(.*)'\?$", str(error))
        assert proposed is None or re.fullmatch("[a-z0-9-]+", proposed[1])
        return
    assert project.distribution == canonicalize_name(project.distribution, validate=True)
    assert project.module.isidentifier()
    assert all(part.class_name.isidentifier() for part in project.parts)
    point = metadata.EntryPoint(project.name, f"{project.module}:X", "despatch.egress")
    assert point.module == project.module


@pytest.mark.parametrize(
    ("core", "requirement"),
    [
        ("0.1.0", "despatch>=0.1,<0.2"),
        ("0.1.7", "despatch>=0.1,<0.2"),
        ("0.1.7.post1+local", "despatch>=0.1,<0.2"),
        ("0.2.0.dev3", "despatch>=0.2.dev0,<0.3"),
        ("0.2.0rc1", "despatch>=0.2.dev0,<0.3"),
        ("1.12.3", "despatch>=1.12,<1.13"),
    ],
)
def test_what_is_required_is_the_minor_that_is_installed(core, requirement):
    assert requirement_on(core) == requirement
    assert Requirement(requirement).specifier.contains(core, prereleases=True)
