"""Plugin: what is known of one plugin, and whether it can be used."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from importlib import metadata

from packaging.utils import canonicalize_name

from despatch.plugins.kinds import Kind
from despatch.plugins.metadata import CORE

__all__ = ["Plugin", "Status"]


class Status(enum.StrEnum):
    """Whether a plugin can be used."""

    READY = "ready"
    INCOMPATIBLE = "incompatible"
    BROKEN = "broken"
    DUPLICATE = "duplicate"
    NOT_ALLOWED = "not allowed"
    NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True)
class Plugin:
    """What is known of one plugin.

    Attributes:
        kind: What it is.
        name: The name that a settings file gives.
        distribution: The distribution it comes from; empty where it is not installed.
        version: The distribution's version.
        target: Where it is, as ``module:Class``.
        status: Whether it can be used; `READY` says that nothing in the metadata speaks
            against it.
        reason: Why it cannot be used; empty where it is ready.
        hint: What to do about that.
        warning: What is doubtful though it is ready.
        entry_point: What loads it; None where nothing is installed.
    """

    kind: Kind
    name: str
    distribution: str = ""
    version: str = ""
    target: str = ""
    status: Status = Status.READY
    reason: str = ""
    hint: str = ""
    warning: str = ""
    entry_point: metadata.EntryPoint | None = field(default=None, repr=False, compare=False)

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against loading it."""
        return self.status is Status.READY

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with despatch itself."""
        return canonicalize_name(self.distribution) == CORE

    @property
    def identity(self) -> str:
        """Which plugin it is: its kind, name, distribution and version."""
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"{self.kind.noun} {self.name!r}{origin}"

    @property
    def explanation(self) -> str:
        """Which plugin it is, its distribution and version, what is wrong, and what to do."""
        told = f"{self.identity} is {self.status}"
        return "; ".join(part for part in (f"{told}: {self.reason}", self.hint) if part)

    def refused(self, status: Status, reason: str, hint: str) -> Plugin:
        """This plugin, found to be of no use, and why, and what to do."""
        return replace(self, status=status, reason=reason, hint=hint)

    def broken(self, reason: str) -> Plugin:
        """This plugin, found to be broken."""
        hint = f"try: pip install --upgrade --force-reinstall {self.distribution}"
        return self.refused(Status.BROKEN, reason, f"{hint}, or tell its authors")
