from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings

from despatch.branching import permission
from libraries import LIBRARIES
from resumable import BUSY, MODEL

# How long one example takes says more of the machine than of the code.
settings.register_profile("despatch", deadline=None)
settings.register_profile("thorough", settings.get_profile("despatch"), max_examples=10_000)
settings.load_profile(os.environ.get("DESPATCH_HYPOTHESIS_PROFILE", "despatch"))

PLUGINS = str(Path(__file__).parent / "plugins")


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.name)
def library(request):
    """SimPy, despatch, and each half of despatch with the other half of SimPy, one by one."""
    return request.param


@pytest.fixture(autouse=True, scope="session")
def _installed_plugins():
    """Plugins of a stranger, installed for this process and for the couriers it starts."""
    sys.path.append(PLUGINS)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = PLUGINS if not before else f"{before}{os.pathsep}{PLUGINS}"
    yield
    sys.path.remove(PLUGINS)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def install(tmp_path_factory, monkeypatch):
    """Installs a distribution for one test: its metadata, as pip would leave it, and modules.

    It is there for the processes that the test starts, too.
    """
    site = tmp_path_factory.mktemp("site-packages")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.delenv("DESPATCH_PLUGINS", raising=False)

    def write(name, entry_points, *, version="1.0", requires=("despatch",), modules=None):
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        headers = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        headers += [f"Requires-Dist: {each}" for each in requires]
        (folder / "METADATA").write_text("\n".join(headers) + "\n")
        (folder / "entry_points.txt").write_text(entry_points)
        for module, code in (modules or {}).items():
            (site / f"{module}.py").write_text(code)
        return folder

    yield write
    for module, loaded in list(sys.modules.items()):
        if str(getattr(loaded, "__file__", None) or "").startswith(str(site)):
            del sys.modules[module]


@pytest.fixture
def resumable_desk(tmp_path, monkeypatch):
    """A model that can begin from a state, as a module that is found in the current folder."""
    (tmp_path / "resumable_desk.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "resumable_desk", raising=False)
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("resumable_desk")


@pytest.fixture
def be(tmp_path):
    """Writes what the real system is like, into ``state.json``; at first it is busy."""

    def write(**changes):
        (tmp_path / "state.json").write_text(json.dumps({**BUSY, **changes}))

    write()
    return write


@pytest.fixture(scope="module")
def alone():
    """Lets branches be made although threads of other tests, which wait for nothing, are there."""
    left = set(threading.enumerate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permission, "is_counted", lambda thread: thread not in left)
        yield
