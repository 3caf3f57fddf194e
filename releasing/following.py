"""What the packages around one that is released have to follow: ranges, extras and versions.

A new minor of the core is a new version of the plugin interface: the plugins here take its range,
and become versions in the making that their own releases finish. A plugin that was released for
another range before is the first one that its extra of the core can take.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from bumping import bump
from repository import released, text_at
from workspace import CORE, EXTRAS, PACKAGES, ROOT, Package

__all__ = ["follow", "interface_range"]


def follow(package: Package) -> list[Package]:
    """Change what has to follow the version that a package has now; which packages that changed."""
    followers = (
        _plugins_that_follow() if package.name == CORE.name else _extras_that_follow(package)
    )
    return list(followers)


def interface_range(version: str) -> str:
    """What a plugin requires that is written for the interface of a core of this version."""
    major, minor = Version(version).release[:2]
    return f"{CORE.name}>={major}.{minor},<{major}.{minor + 1}"


def _plugins_that_follow() -> Iterator[Package]:
    wanted = interface_range(CORE.version)
    for plugin in PACKAGES:
        if plugin.name == CORE.name:
            continue
        present = _on_the_core(plugin.project["dependencies"])
        if present != wanted:
            _replace(plugin, present, wanted)
            if not Version(plugin.version).is_prerelease:
                bump(plugin, "minor,dev")
            name = wanted.partition(">=")[2].partition(",")[0]
            _tell(plugin, CORE.name, f"Requires {CORE.name} {name}.")
            yield plugin


def _extras_that_follow(plugin: Package) -> Iterator[Package]:
    extra = next((extra for extra, each in EXTRAS.items() if each.name == plugin.name), None)
    earlier = [tag for version, tag in released(plugin).items() if not version.is_prerelease]
    if extra is None or not earlier:
        return
    path = str((plugin.folder / "pyproject.toml").relative_to(ROOT))
    before = tomllib.loads(text_at(earlier[-1], path))["project"]["dependencies"]
    if _on_the_core(before) != _on_the_core(plugin.project["dependencies"]):
        (present,) = CORE.project["optional-dependencies"][extra]
        wanted = f"{plugin.name}>={plugin.version}"
        _replace(CORE, present, wanted)
        told = f"The extra `{extra}` takes {plugin.name} {plugin.version} or later."
        _tell(CORE, f"{extra}-{plugin.version}", told)
        yield CORE


def _on_the_core(requirements: list[str]) -> str:
    return next(each for each in requirements if Requirement(each).name == CORE.name)


def _replace(package: Package, present: str, wanted: str) -> None:
    project = package.folder / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    assert text.count(f'"{present}"') == 1, f'{project}: expected "{present}" once'
    project.write_text(text.replace(f'"{present}"', f'"{wanted}"'), encoding="utf-8")


def _tell(package: Package, name: str, text: str) -> None:
    fragment = package.folder / "changes" / f"+{name}.changed.md"
    fragment.write_text(f"{text}\n", encoding="utf-8")
