"""The distributions, built once, and environments that they are installed into, made once each."""

from __future__ import annotations

import functools
import re

import pytest

from clean_environments import CleanEnvironment, succeeded
from pages import ROOT


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """What `make dist` makes of a folder that had older versions in it, and a stranger's file."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "despatch-0.0.9-py3-none-any.whl").touch()
    (folder / "despatch_connector_redis-9.0.tar.gz").touch()
    (folder / "stranger-1.0-py3-none-any.whl").touch()
    succeeded(["make", "--no-print-directory", "dist", f"DIST={folder}"], cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def environment(dist, tmp_path_factory):
    """Makes an environment with one requirement, from the wheels that were built; each once.

    It is shared by all tests that ask for the same, so none installs anything more into it.
    """

    @functools.cache
    def make(requirement):
        name = re.sub(r"\W+", "-", requirement).strip("-")
        made = CleanEnvironment(tmp_path_factory.mktemp("environment") / name)
        made.install("--find-links", dist, requirement)
        return made

    return make
