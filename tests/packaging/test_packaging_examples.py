"""The plugins in `examples` are a stranger's: built, installed and tested like one's.

Each is a folder that knows nothing of this repository. Its own suite says whether it works; here it
is run against the wheels, in an environment that has nothing else.
"""

from __future__ import annotations

import ast
import os
import re
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from clean_environments import CleanEnvironment, build_sdist, build_wheel, finished
from pages import ROOT

FOLDERS = ["despatch-connector-mqtt"]
CONTRACT = ROOT / "docs" / "plugin-contract.md"


@dataclass(frozen=True)
class Example:
    """A plugin as its author has it, and an environment where it is installed."""

    folder: Path
    environment: CleanEnvironment

    @cached_property
    def project(self):
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["project"]

    def run(self, *arguments, **variables):
        return finished([self.environment.python, *arguments], cwd=self.folder, **variables)


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """A folder with the core's wheel."""
    return build_wheel(ROOT / "packages" / "core", tmp_path_factory.mktemp("core") / "wheel").parent


@pytest.fixture(scope="module", params=FOLDERS)
def example(request, core, tmp_path_factory):
    """The sources as the sdist has them, and the wheel, installed with what its tests need."""
    place = tmp_path_factory.mktemp(request.param)
    sdist = build_sdist(ROOT / "examples" / request.param, place / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    folder = place / sdist.name.removesuffix(".tar.gz")
    environment = CleanEnvironment(place / "environment")
    groups = [f"--group={folder / 'pyproject.toml'}:{name}" for name in ("lint", "test")]
    wheel = build_wheel(sdist, place / "wheel")
    environment.install("--find-links", core, *groups, wheel)
    return Example(folder, environment)


def test_its_plugins_are_ready(example, tmp_path):
    listed = example.environment.plugins(tmp_path)
    brought = {
        (group.removeprefix("despatch."), name)
        for group, points in example.project["entry-points"].items()
        for name in points
    }
    own = {key for key, row in listed.items() if row["distribution"] == example.project["name"]}
    assert own == brought
    assert {(listed[key]["status"], listed[key]["warning"]) for key in own} == {("ready", "")}


def test_it_imports_nothing_of_despatch_but_what_is_public(example):
    text = CONTRACT.read_text(encoding="utf-8").partition("**What may be imported.**")[2]
    allowed = set(re.findall(r"`(despatch[\w.]*)`", text.partition("All other modules")[0]))
    assert {"despatch", "despatch.interfaces", "despatch.testing"} <= allowed
    used = {
        name
        for source in example.folder.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        for name in imported_by(node)
        if name.partition(".")[0] == "despatch"
    }
    assert used
    assert used <= allowed


def imported_by(node):
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [each.name for each in node.names] if isinstance(node, ast.Import) else []


def test_its_types_and_its_style_are_clean(example):
    for arguments in (["mypy"], ["ruff", "check"], ["ruff", "format", "--check"]):
        checked = example.run("-m", *arguments)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.timeout(600)
def test_its_own_tests_pass(example):
    kept = {name: value for name, value in os.environ.items() if name.startswith("DESPATCH_")}
    tested = example.run("-m", "pytest", "-p", "no:cacheprovider", **kept)
    assert tested.returncode == 0, tested.stdout + tested.stderr
