"""Project: what a new plugin's distribution, package, classes and entry points are called."""

from __future__ import annotations

import enum
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Final, Self

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from despatch.errors import ScaffoldError
from despatch.plugins import Kind, Plugins, Status
from despatch.plugins.metadata import CORE

__all__ = ["Part", "Project", "ProjectKind"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 30


class ProjectKind(enum.StrEnum):
    """What can be made; the value is in the distribution's name."""

    CONNECTOR = "connector"
    SERIALIZER = "serializer"
    STATE = "state"
    EXECUTOR = "executor"


_PLUGINS: Final[Mapping[ProjectKind, tuple[Kind, ...]]] = {
    ProjectKind.CONNECTOR: (Kind.EGRESS, Kind.INGRESS),
    ProjectKind.SERIALIZER: (Kind.SERIALIZERS,),
    ProjectKind.STATE: (Kind.STATES,),
    ProjectKind.EXECUTOR: (Kind.EXECUTORS,),
}
_ROLES: Final[Mapping[Kind, str]] = {
    Kind.EGRESS: "egress",
    Kind.INGRESS: "ingress",
    Kind.SERIALIZERS: "serializer",
    Kind.STATES: "state",
    Kind.EXECUTORS: "executor",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One plugin of the distribution.

    Attributes:
        kind: What it is.
        role: The module that it is in.
        class_name: Its class.
    """

    kind: Kind
    role: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Project:
    """A distribution that is to be made.

    Attributes:
        kind: What it is for.
        name: What a settings file calls the plugin, such as ``my-broker``.
        plugins: The kinds of plugin in it.
        author: Who holds the copyright.
    """

    kind: ProjectKind
    name: str
    plugins: tuple[Kind, ...]
    author: str

    @classmethod
    def of(
        cls,
        kind: ProjectKind,
        name: str,
        *,
        only: Kind | None = None,
        author: str | None = None,
    ) -> Self:
        """A project whose names are in order, and free.

        Args:
            kind: What it is for.
            name: What a settings file will call the plugin.
            only: The one kind of plugin that a connector shall have; None is both.
            author: Who holds the copyright; by default its authors, whoever they are.

        Raises:
            ScaffoldError: The name cannot be used, or is taken by what is installed or by what is
                published with despatch; or the author is no name.
        """
        _see_that_valid(kind, name)
        plugins = _PLUGINS[kind] if only is None else (only,)
        author = f"the {CORE}-{kind}-{name} authors" if author is None else author.strip()
        if not author or not author.isprintable():
            raise ScaffoldError(f"author: expected a name, got {author!r}")
        project = cls(kind, name, plugins, author)
        project._see_that_free()
        return project

    @property
    def distribution(self) -> str:
        """The distribution's name, such as ``despatch-connector-my-broker``."""
        return f"{CORE}-{self.kind}-{self.name}"

    @property
    def module(self) -> str:
        """The package's name, such as ``despatch_connector_my_broker``."""
        return self.distribution.replace("-", "_")

    @property
    def parts(self) -> Sequence[Part]:
        """Its plugins."""
        prefix = "".join(word.capitalize() for word in self.name.split("-"))
        roles = ((kind, _ROLES[kind]) for kind in self.plugins)
        return [Part(kind, role, f"{prefix}{role.capitalize()}") for kind, role in roles]

    @property
    def other_plugins(self) -> Sequence[Kind]:
        """The kinds of plugin that could be made, and are not in it."""
        return [kind for kind in _ROLES if kind not in self.plugins]

    def _see_that_free(self) -> None:
        if self.distribution in _published_with_core():
            raise ScaffoldError(
                f"{self.distribution} is published with {CORE} itself; choose another name"
            )
        for kind in self.plugins:
            found = Plugins().find(kind, self.name)
            if found.status is not Status.NOT_INSTALLED:
                raise ScaffoldError(
                    f"{kind.noun} {self.name!r} is there already, from "
                    f"{found.distribution} {found.version}; choose another name"
                )
        try:
            version = metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return
        raise ScaffoldError(
            f"{self.distribution} {version} is installed already; choose another name"
        )


def requirement_on(core: str) -> str:
    """What a plugin requires that is written for a version of the core.

    Installers take no pre-release of 0.2 for ``>=0.2``: who writes for one that is not out yet says
    so.
    """
    version = Version(core)
    major, minor = version.major, version.minor
    lower = f"{major}.{minor}.dev0" if version.is_prerelease else f"{major}.{minor}"
    return f"{CORE}>={lower},<{major}.{minor + 1}"


def _see_that_valid(kind: ProjectKind, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ScaffoldError(
            f"name: expected lower-case letters and digits, in words joined by hyphens, such as "
            f"my-broker; got {name!r}{_proposal(kind, name)}"
        )
    if keyword.iskeyword(name):
        raise ScaffoldError(f"name: {name!r} is a keyword of Python; choose another name")
    if name.startswith(f"{CORE}-"):
        raise ScaffoldError(
            f"name: expected what a settings file calls the plugin, not its distribution; "
            f"got {name!r}{_proposal(kind, name)}"
        )
    if len(name) > _LONGEST:
        raise ScaffoldError(
            f"name: expected at most {_LONGEST} characters, got {len(name)}: {name!r}"
        )


def _proposal(kind: ProjectKind, name: str) -> str:
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    proposed = "-".join(words).removeprefix(f"{CORE}-").removeprefix(f"{kind}-")
    is_usable = _NAME.fullmatch(proposed) and not keyword.iskeyword(proposed)
    return f"; did you mean {proposed!r}?" if is_usable and name.isascii() else ""


def _published_with_core() -> set[str]:
    return set(_required_names())


def _required_names() -> Iterator[str]:
    for text in metadata.requires(CORE) or ():
        yield canonicalize_name(Requirement(text).name)
