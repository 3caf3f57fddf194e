"""What the metadata of installed distributions says of plugins: read, never imported.

The metadata is other people's and may hold anything; what cannot be read is said in `fault`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

__all__ = ["CORE", "PluginDistribution", "header", "plugin_distributions"]

CORE: Final = "despatch"
"""The distribution that plugins are for; its name begins the names of their groups."""


@dataclass(frozen=True, slots=True)
class PluginDistribution:
    """A distribution that says it has plugins.

    Attributes:
        name: Its name.
        version: Its version.
        groups: The groups of entry points that its metadata mentions.
        entry_points: Its entry points in those groups.
        core_requirements: What it requires of the core in this environment.
        requirements: All that it requires in this environment, without its extras.
        fault: Why its entry points or its requirements cannot be read; empty where they can.
    """

    name: str
    version: str
    groups: tuple[str, ...]
    entry_points: tuple[metadata.EntryPoint, ...]
    core_requirements: tuple[Requirement, ...]
    requirements: tuple[Requirement, ...]
    fault: str = ""


def plugin_distributions() -> Iterator[PluginDistribution]:
    """The distributions with plugins; of two with the same name the first on the path counts."""
    seen = set()
    for distribution in metadata.distributions():
        # All that is installed comes by here: the rest is read only of those that matter.
        groups = _groups(distribution)
        if not groups:
            continue
        name = header(distribution, "Name")
        if canonicalize_name(name) not in seen:
            seen.add(canonicalize_name(name))
            yield _read(distribution, name, groups)


def _read(
    distribution: metadata.Distribution, name: str, groups: tuple[str, ...]
) -> PluginDistribution:
    points: tuple[metadata.EntryPoint, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    fault = ""
    try:
        points = tuple(each for each in distribution.entry_points if each.group in groups)
    except Exception as error:
        fault = f"entry_points.txt cannot be read: {error}"
    try:
        requirements = tuple(_requirements(distribution))
    except Exception as error:
        fault = f"its requirement on {CORE} cannot be read: {error}"
    version = header(distribution, "Version")
    of_core = tuple(each for each in requirements if canonicalize_name(each.name) == CORE)
    return PluginDistribution(name, version, groups, points, of_core, requirements, fault)


def _groups(distribution: metadata.Distribution) -> tuple[str, ...]:
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except (OSError, UnicodeDecodeError):
        return ()
    lines = (line.strip() for line in text.splitlines())
    found = (line[1:-1].strip() for line in lines if line.startswith("[") and line.endswith("]"))
    return tuple(group for group in found if group.startswith(f"{CORE}."))


def header(distribution: metadata.Distribution, name: str) -> str:
    """What a distribution's metadata says under a name; ``unknown`` where it says nothing."""
    try:
        return str(distribution.metadata[name] or "unknown")
    except Exception:
        # There may be no metadata at all: the distribution is reported as one without a name.
        return "unknown"


def _requirements(distribution: metadata.Distribution) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            if text.strip().lower().startswith(CORE):
                raise
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement
