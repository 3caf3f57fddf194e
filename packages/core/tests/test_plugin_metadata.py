from __future__ import annotations

import sys

import pytest

from despatch.plugins.metadata import plugin_distributions

ENTRY_POINTS = "[despatch.egress]\nacme = acme_module:Acme\n"


def found(name):
    return [each for each in plugin_distributions() if each.name == name]


def test_a_distribution_is_read_without_being_imported(install):
    install(
        "acme-sink",
        "[console_scripts]\nacme = acme_module:main\n" + ENTRY_POINTS,
        version="2.1",
        requires=["despatch>=0.1,<0.2", "requests"],
        modules={"acme_module": "raise SystemExit('imported')"},
    )
    (distribution,) = found("acme-sink")
    assert distribution.version == "2.1"
    assert distribution.groups == ("despatch.egress",)
    assert [point.value for point in distribution.entry_points] == ["acme_module:Acme"]
    assert [str(each) for each in distribution.core_requirements] == ["despatch<0.2,>=0.1"]
    assert [str(each) for each in distribution.requirements] == ["despatch<0.2,>=0.1", "requests"]
    assert distribution.fault == ""
    assert "acme_module" not in sys.modules


def test_a_distribution_without_plugins_is_passed_over(install):
    install("acme-tool", "[console_scripts]\nacme = acme_module:main\n")
    assert found("acme-tool") == []


@pytest.mark.parametrize(
    ("requires", "kept"),
    [
        (['despatch>=9; python_version < "3"'], []),
        (['despatch>=9; extra == "new"'], []),
        (['despatch>=0.1; python_version >= "3"'], ["despatch>=0.1"]),
        (["Despatch (>=0.1)"], ["despatch>=0.1"]),
        (["despatch-connector-kafka>=5"], ["despatch-connector-kafka>=5"]),
        (['requests; extra == "web"', "tomli; python_version < '3'"], []),
        (["some thing !! unreadable", "despatch>=0.1"], ["despatch>=0.1"]),
        ([], []),
    ],
)
def test_requirements_hold_for_this_environment(install, requires, kept):
    install("acme-sink", ENTRY_POINTS, requires=requires)
    (distribution,) = found("acme-sink")
    assert [f"{each.name.lower()}{each.specifier}" for each in distribution.requirements] == kept
    assert distribution.fault == ""


def test_an_unreadable_requirement_on_the_core_is_a_fault(install):
    install("acme-sink", ENTRY_POINTS, requires=["despatch >= one"])
    (distribution,) = found("acme-sink")
    assert distribution.fault.startswith("its requirement on despatch cannot be read")


def test_unreadable_entry_points_are_a_fault(install):
    install("acme-sink", "[despatch.egress]\nno equals sign\n")
    (distribution,) = found("acme-sink")
    assert distribution.fault.startswith("entry_points.txt cannot be read")
    assert distribution.groups == ("despatch.egress",)


def test_bytes_that_are_no_text_hinder_nothing(install):
    folder = install("acme-broken", ENTRY_POINTS)
    (folder / "entry_points.txt").write_bytes(b"[despatch.egress]\n\xff\xfe = x\n")
    install("acme-sink", ENTRY_POINTS)
    assert found("acme-broken") == []
    assert len(found("acme-sink")) == 1


def test_a_distribution_without_metadata_has_no_name(install):
    folder = install("acme-sink", ENTRY_POINTS)
    (folder / "METADATA").unlink()
    (distribution,) = found("unknown")
    assert distribution.version == "unknown"


def test_of_two_with_one_name_the_first_on_the_path_counts(install, tmp_path, monkeypatch):
    install("acme-sink", ENTRY_POINTS, version="2.0")
    stale = tmp_path / "acme_sink-1.0.dist-info"
    stale.mkdir()
    (stale / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme.Sink\nVersion: 1.0\n")
    (stale / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert [each.version for each in plugin_distributions() if "cme" in each.name] == ["2.0"]
