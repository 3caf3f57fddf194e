"""Requirements: which of those that a plugin's distribution has are not met in this environment.

Only metadata is read, so that a plugin whose client library is missing, or too old for it, is
known before it is imported. What a required distribution requires in its turn is its own affair,
but for what it requires for an extra that the plugin asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from despatch.plugins.metadata import CORE, header

__all__ = ["Unmet", "unmet"]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met.

    Attributes:
        requirement: The requirement as pip takes it, such as ``redis[hiredis]>=5``.
        installed: What is installed instead, as ``redis 4.6``; empty where nothing is.
    """

    requirement: str
    installed: str

    @property
    def reason(self) -> str:
        """What is required, and what is there."""
        found = f"and {self.installed} is installed" if self.installed else "which is not installed"
        return f"it requires {self.requirement}, {found}"


def unmet(requirements: Iterable[Requirement]) -> Iterator[Unmet]:
    """Which requirements are not met.

    The core's version is left out of account: whether that fits is not for installers to say
    alone (`despatch.plugins.ranges`).

    Args:
        requirements: Those that hold in this environment.
    """
    pending = list(requirements)
    seen: set[str] = set()
    while pending:
        requirement = pending.pop(0)
        text = _as_pip_takes_it(requirement)
        if text in seen:
            continue
        seen.add(text)
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            yield Unmet(text, "")
            continue
        version = header(distribution, "Version")
        if canonicalize_name(requirement.name) != CORE and not _is_met(requirement, version):
            yield Unmet(text, f"{requirement.name} {version}")
        else:
            pending += _for_extras(distribution, requirement.extras)


def _is_met(requirement: Requirement, version: str) -> bool:
    try:
        found = Version(version)
    except InvalidVersion:
        # What is no version, or not known, cannot be held against anything.
        return True
    return requirement.specifier.contains(found, prereleases=True)


def _for_extras(
    distribution: metadata.Distribution, extras: Iterable[str]
) -> Iterator[Requirement]:
    for extra in extras:
        for text in distribution.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            # What holds without an extra is that distribution's own affair.
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}):
                continue
            if marker.evaluate({"extra": extra}):
                yield requirement


def _as_pip_takes_it(requirement: Requirement) -> str:
    bare = Requirement(str(requirement))
    bare.marker = None
    return str(bare)
