"""The workspace's packages, as each one's pyproject.toml describes it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = [
    "CLIENTS",
    "CORE",
    "EXTRAS",
    "LIBRARIES",
    "PACKAGES",
    "ROOT",
    "TOOLS",
    "Package",
    "packages_of",
]

ROOT = Path(__file__).parents[1]
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """One package, and the distribution that is built of it."""

    folder: Path
    project: dict[str, Any]

    @property
    def name(self) -> str:
        """The distribution's name."""
        return str(self.project["name"])

    @property
    def import_name(self) -> str:
        """The name that is imported."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        """Where what is imported lies."""
        return self.folder / "src" / self.import_name

    @property
    def version(self) -> str:
        """The version that stands in its sources now."""
        found = _VERSION.search((self.source / "__about__.py").read_text(encoding="utf-8"))
        assert found, f'{self.source}/__about__.py: expected a line __version__ = "…"'
        return found[1]

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def tag(self) -> str:
        """What git calls the release of the version that stands in its sources now."""
        return f"{self.name}-v{self.version}"

    @property
    def requirements(self) -> set[str]:
        """The names of the distributions that it requires."""
        return {canonicalize_name(Requirement(each).name) for each in self.project["dependencies"]}

    @property
    def plugins(self) -> list[tuple[str, str]]:
        """The kinds and names of its plugins."""
        return [
            (group.removeprefix("despatch."), name)
            for group, points in self.project.get("entry-points", {}).items()
            for name in points
            if group.startswith("despatch.")
        ]


def packages_of(root: Path) -> tuple[Package, ...]:
    """The packages of a checkout, which has them under ``packages/``."""
    return tuple(
        Package(path.parent, tomllib.loads(path.read_text(encoding="utf-8"))["project"])
        for path in sorted(root.glob("packages/*/pyproject.toml"))
    )


def _extras() -> Iterator[tuple[str, str]]:
    for extra, requirements in CORE.project["optional-dependencies"].items():
        if extra != "all":
            (requirement,) = map(Requirement, requirements)
            yield extra, requirement.name


PACKAGES = packages_of(ROOT)
CORE = next(package for package in PACKAGES if package.name == "despatch")
_BY_NAME = {package.name: package for package in PACKAGES}
EXTRAS = {extra: _BY_NAME[name] for extra, name in _extras() if name in _BY_NAME}
"""The plugin packages by the extra that brings them."""
_OF_A_RUN = Requirement(*CORE.project["optional-dependencies"]["all"]).extras
LIBRARIES = {
    extra: name for extra, name in _extras() if name not in _BY_NAME and extra in _OF_A_RUN
}
"""The libraries that a run can do without, by the extra that brings them."""
TOOLS = {
    extra: name for extra, name in _extras() if name not in _BY_NAME and extra not in _OF_A_RUN
}
"""What no run needs, by the extra that brings it; no part of `all`."""
CLIENTS = {
    extra: package.requirements - CORE.requirements - {CORE.name}
    for extra, package in EXTRAS.items()
}
"""The client libraries that an extra brings, as its package names them."""
