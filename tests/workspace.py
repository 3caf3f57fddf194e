"""The workspace's packages, as each one's pyproject.toml describes it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pages import ROOT

__all__ = ["CLIENTS", "CORE", "EXTRAS", "LIBRARIES", "PACKAGES", "Package"]


@dataclass(frozen=True)
class Package:
    """One package, and the distribution that is built of it."""

    folder: Path
    project: dict[str, Any]

    @property
    def name(self):
        return self.project["name"]

    @property
    def version(self):
        return self.project["version"]

    @property
    def stem(self):
        """How the names of its files begin."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def import_name(self):
        return self.name.replace("-", "_")

    @property
    def requirements(self):
        """The names of the distributions that it requires."""
        return {canonicalize_name(Requirement(each).name) for each in self.project["dependencies"]}

    @property
    def plugins(self):
        """The kinds and names of its plugins."""
        return [
            (group.removeprefix("despatch."), name)
            for group, points in self.project["entry-points"].items()
            for name in points
            if group.startswith("despatch.")
        ]


def _packages():
    for path in sorted(ROOT.glob("packages/*/pyproject.toml")):
        yield Package(path.parent, tomllib.loads(path.read_text(encoding="utf-8"))["project"])


def _extras():
    for extra, requirements in CORE.project["optional-dependencies"].items():
        if extra != "all":
            (requirement,) = map(Requirement, requirements)
            yield extra, requirement.name


PACKAGES = tuple(_packages())
CORE = next(package for package in PACKAGES if package.name == "despatch")
_BY_NAME = {package.name: package for package in PACKAGES}
EXTRAS = {extra: _BY_NAME[name] for extra, name in _extras() if name in _BY_NAME}
"""The plugin packages by the extra that brings them."""
LIBRARIES = {extra: name for extra, name in _extras() if name not in _BY_NAME}
"""The libraries that despatch itself can do without, by the extra that brings them."""
CLIENTS = {
    extra: package.requirements - CORE.requirements - {CORE.name}
    for extra, package in EXTRAS.items()
}
"""The client libraries that an extra brings, as its package names them."""
