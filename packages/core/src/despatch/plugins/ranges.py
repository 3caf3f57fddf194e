"""Whether the core is of a version that a plugin requires: the plugin API has no other number.

A development version, a release candidate, a post-release and a local version of 0.2.0 all are
0.2.0 to a plugin: one that requires ``>=0.2,<0.3`` is written for what they are to become or have
become. Installers are stricter, since to them 0.2.0.dev3 comes before 0.2 (the version specifiers
specification, "Handling of pre-releases" and "Exclusive ordered comparison",
https://packaging.python.org/en/latest/specifications/version-specifiers/). A bound that itself
names such a version, as ``>=0.2.0.dev3`` does, means that one, and is taken at its word.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.version import InvalidVersion, Version

__all__ = ["allow"]


def allow(requirements: Iterable[Requirement], version: Version) -> bool:
    """Whether a version of the core satisfies all that a plugin requires of it."""
    specifiers = (specifier for each in requirements for specifier in each.specifier)
    return all(_allows(specifier, version) for specifier in specifiers)


def _allows(specifier: Specifier, version: Version) -> bool:
    held = str(version) if _names_more_than_a_release(specifier) else version.base_version
    return specifier.contains(held, prereleases=True)


def _names_more_than_a_release(specifier: Specifier) -> bool:
    try:
        named = Version(specifier.version.removesuffix(".*"))
    except InvalidVersion:
        # `===` compares text, whatever it is.
        return True
    return str(named) != named.base_version
