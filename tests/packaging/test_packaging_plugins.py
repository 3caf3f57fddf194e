"""Plugins that fit and plugins that don't, as wheels and as editable installs of their sources."""

from __future__ import annotations

import re
import shutil
import zipfile

import pytest

from clean_environments import CleanEnvironment, build_wheel
from following import interface_range
from workspace import CORE, EXTRAS

# Importing it leaves a trace beside the module.
STRANGER = """
from pathlib import Path

Path(__file__).with_suffix(".imported").touch()

from pydantic import BaseModel
from despatch.interfaces import EgressConnector, Guarantee, Receipt

class Settings(BaseModel):
    pass

class Sink(EgressConnector):
    Settings = Settings
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...
"""
MODEL = """
def build(env):
    env.publish_event("part-1", {"status": "made"})
"""


def make_wheel(folder, name, requirement):
    """A plugin of a stranger's, of which nothing but the name and the requirement differs."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    files = {
        f"{module}.py": STRANGER,
        f"{info}/METADATA": "Metadata-Version: 2.1\n"
        f"Name: {name}\nVersion: 1.0\nRequires-Dist: {requirement}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[despatch.egress]\n{name} = {module}:Sink\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
    return path


def traces(environment):
    """The strangers' modules that were imported."""
    return {path.stem for path in environment.folder.rglob("*.imported")}


@pytest.fixture(scope="module")
def misfit(dist, tmp_path_factory):
    """An environment with a plugin that fits and one for another despatch, which pip refuses."""
    folder = tmp_path_factory.mktemp("misfit")
    made = CleanEnvironment(folder / "environment")
    fits = make_wheel(folder, "fits", interface_range(CORE.version))
    made.install("--find-links", dist, CORE.name, fits)
    made.install("--no-deps", make_wheel(folder, "misfit", "despatch>=9,<10"))
    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    for name, connectors in {"misfit": ["fits", "misfit"], "fits": ["fits"]}.items():
        sinks = ", ".join(f"{{connector: {each}}}" for each in connectors)
        settings = f"model: model:build\negress: [{sinks}]\n"
        (tmp_path / f"{name}.yaml").write_text(settings, encoding="utf-8")
    return tmp_path


def test_a_plugin_for_another_despatch_is_incompatible_and_is_not_imported(misfit, folder):
    listed = misfit.plugins(folder)
    row = listed["egress", "misfit"]
    assert row["status"] == "incompatible"
    assert row["reason"] == f"it requires despatch<10,>=9, and despatch {CORE.version} is installed"
    assert row["hint"] == "try: pip install --upgrade despatch misfit"
    assert {row["status"] for name, row in listed.items() if name[1] != "misfit"} == {"ready"}
    for command in ("check", "run", "doctor"):
        refused = misfit.despatch(command, "misfit.yaml", cwd=folder)
        assert refused.returncode == 2, command
        assert "'misfit' (misfit 1.0) is incompatible" in " ".join(refused.stderr.split())
    assert "misfit" not in traces(misfit)


def test_a_plugin_for_another_despatch_hinders_no_run_without_it(misfit, folder):
    finished = misfit.despatch("run", "fits.yaml", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    assert misfit.despatch("--help", cwd=folder).returncode == 0
    # The trace is one that an import does leave.
    assert traces(misfit) == {"fits"}


def source_tree(package, folder, *, version=None, requirement=None):
    """A copy of a package's source tree, with another version or another range of despatch."""
    copy = folder / package.folder.name
    shutil.copytree(package.folder, copy, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    if version is not None:
        about = copy / "src" / package.import_name / "__about__.py"
        substitute(about, r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"')
    if requirement is not None:
        project = copy / "pyproject.toml"
        substitute(project, r'(?m)^  "despatch>=.*",$', f'  "{requirement}",')
    return copy


def substitute(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def strangers(dist, tmp_path_factory):
    """An environment with a plugin for 0.1 and one for 0.2, where a core can be put in."""
    folder = tmp_path_factory.mktemp("strangers")
    made = CleanEnvironment(folder / "environment")
    made.install("--find-links", dist, CORE.name)
    for name, requirement in {
        "for-0-1": "despatch>=0.1,<0.2",
        "for-0-2": "despatch>=0.2,<0.3",
        "for-0-2-dev": "despatch>=0.2.dev0,<0.3",
    }.items():
        made.install("--no-deps", make_wheel(folder, name, requirement))
    return made


@pytest.mark.parametrize(
    ("version", "ready"),
    [
        ("0.1.1.dev1+local", {"for-0-1"}),
        ("0.2.0rc1", {"for-0-2", "for-0-2-dev"}),
    ],
)
def test_the_wheel_of_a_core_that_is_no_final_release_is_judged_right(
    strangers, tmp_path, version, ready
):
    wheel = build_wheel(source_tree(CORE, tmp_path, version=version), tmp_path / "wheel")
    strangers.install("--no-deps", wheel)
    assert strangers.installed()["despatch"] == version
    listed = strangers.plugins(tmp_path)
    found = {
        status: {name for (_, name), row in listed.items() if row["status"] == status}
        for status in ("ready", "incompatible")
    }
    assert found["ready"] >= ready | {"jsonl"}
    assert found["incompatible"] == {"for-0-1", "for-0-2", "for-0-2-dev"} - ready


def test_an_editable_core_and_an_editable_plugin_of_versions_in_the_making(tmp_path):
    made = CleanEnvironment(tmp_path / "environment")
    core = source_tree(CORE, tmp_path, version="0.2.0.dev3")
    old, new = (
        source_tree(EXTRAS["redis"], tmp_path / version, version=version, requirement=requirement)
        for version, requirement in {
            "0.1.5.dev1": "despatch>=0.1,<0.2",
            "0.2.0.dev1+g12": "despatch>=0.2.dev0,<0.3",
        }.items()
    )
    # The documentation tells authors that installers take these two for each other.
    made.install("--editable", core, "--editable", new)
    row = made.plugins(tmp_path)["egress", "redis"]
    assert (row["version"], row["status"], row["warning"]) == ("0.2.0.dev1+g12", "ready", "")
    # It is the source tree that is imported, not a copy.
    code = "import despatch_connector_redis as it; print(it.__file__)"
    assert made.run_python("-c", code, cwd=tmp_path).startswith(str(new))

    made.install("--no-deps", "--editable", old)
    row = made.plugins(tmp_path)["egress", "redis"]
    assert (row["version"], row["status"]) == ("0.1.5.dev1", "incompatible")
    assert row["reason"] == "it requires despatch<0.2,>=0.1, and despatch 0.2.0.dev3 is installed"
