"""Plugins: what is installed, whether it fits, and loading it on first use.

A plugin is an entry point in the group ``despatch.ingress``, ``despatch.egress``,
``despatch.serializers`` or ``despatch.hooks`` of an installed distribution. All that can be told of
it without running its code is read from the distribution's metadata; its code is imported by
`Plugins.load` alone.
A plugin that is broken or does not fit is reported, and hinders no other.
"""

from __future__ import annotations

import difflib
import enum
import inspect
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import metadata
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import BaseModel

from despatch import plugin_range
from despatch.errors import PluginError
from despatch.interfaces import EgressConnector, IngressConnector, Serializer
from despatch.plugin_metadata import CORE, PluginDistribution, plugin_distributions

__all__ = ["Kind", "Plugin", "Plugins", "Status"]

_ALLOWED_VARIABLE: Final = "DESPATCH_PLUGINS"


class Kind(enum.StrEnum):
    """The kinds of plugin; the value ends the name of the entry point group."""

    INGRESS = "ingress"
    EGRESS = "egress"
    SERIALIZERS = "serializers"
    HOOKS = "hooks"

    @property
    def group(self) -> str:
        """The entry point group."""
        return f"{CORE}.{self.value}"

    @property
    def noun(self) -> str:
        """What a plugin of this kind is called in a message."""
        return _NOUNS[self]

    @property
    def interface(self) -> type[Any]:
        """The class that a plugin of this kind is a subclass of; hooks are any `object`."""
        return _INTERFACES[self]


_NOUNS = {
    Kind.INGRESS: "ingress connector",
    Kind.EGRESS: "egress connector",
    Kind.SERIALIZERS: "serializer",
    Kind.HOOKS: "hook plugin",
}
_INTERFACES: dict[Kind, type[Any]] = {
    Kind.INGRESS: IngressConnector,
    Kind.EGRESS: EgressConnector,
    Kind.SERIALIZERS: Serializer,
    Kind.HOOKS: object,
}
# Published with despatch and installed on demand: name to the extra that brings it.
_EXTRAS = {
    (Kind.INGRESS, "kafka"): "kafka",
    (Kind.EGRESS, "kafka"): "kafka",
    (Kind.INGRESS, "redis"): "redis",
    (Kind.EGRESS, "redis"): "redis",
    (Kind.EGRESS, "parquet"): "parquet",
    (Kind.SERIALIZERS, "avro"): "avro",
}


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
    _entry_point: metadata.EntryPoint | None = field(default=None, repr=False, compare=False)

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against loading it."""
        return self.status is Status.READY

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with despatch itself."""
        return canonicalize_name(self.distribution) == CORE

    @property
    def explanation(self) -> str:
        """Which plugin it is, its distribution and version, what is wrong, and what to do."""
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        told = f"{self.kind.noun} {self.name!r}{origin} is {self.status}"
        return "; ".join(part for part in (f"{told}: {self.reason}", self.hint) if part)


class Plugins:
    """The plugins of this environment.

    Args:
        allowed: Names of plugins, or of their distributions, that may be loaded; None allows
            all. The environment variable DESPATCH_PLUGINS (names, comma-separated), where set
            and not empty, limits them further. What comes with despatch is always allowed.
        core_version: The version to hold requirements against; by default the installed one.
    """

    def __init__(
        self, allowed: Collection[str] | None = None, *, core_version: str | None = None
    ) -> None:
        limits = (allowed, _allowed_by_environment())
        self._limits = [set(names) for names in limits if names is not None]
        self._core = Version(core_version) if core_version else _installed_version()
        self._loaded: dict[tuple[Kind, str], Any] = {}

    def find(self, kind: Kind, name: str) -> Plugin:
        """What is known of a plugin by its metadata; nothing is imported.

        Returns:
            The plugin that `load` would load. Where there is none, one that says why not, its
            status `NOT_INSTALLED` if there is no trace of it.
        """
        found = [each for each in self._installed if (each.kind, each.name) == (kind, name)]
        for plugin in found:
            if plugin.is_ready:
                return plugin
        return found[0] if found else self._not_installed(kind, name)

    def load(self, kind: Kind, name: str) -> Any:
        """Import a plugin, once.

        Returns:
            A concrete subclass of the kind's interface; for hooks, a module or an object.

        Raises:
            PluginError: It is not ready, its import fails, or it is not what its kind is. The
                message names the distribution, its version, the reason and what to do.
        """
        loaded = self._loaded.get((kind, name))
        if loaded is None:
            loaded = self._loaded[kind, name] = _load(self.find(kind, name))
        return loaded

    def list(self, *, check: bool = False) -> Sequence[Plugin]:
        """All that is installed, by kind and name.

        Args:
            check: Whether to import each that is ready, to find out which are broken.
        """
        return [_checked(each) if check else each for each in self._installed]

    @cached_property
    def _installed(self) -> Sequence[Plugin]:
        found = [
            self._judged(plugin, distribution)
            for distribution in plugin_distributions()
            for plugin in _plugins_of(distribution)
        ]
        found.sort(key=lambda each: (list(Kind).index(each.kind), each.name, each.distribution))
        return _without_rivals(found)

    def _judged(self, plugin: Plugin, distribution: PluginDistribution) -> Plugin:
        if plugin.is_built_in or not plugin.is_ready:
            return plugin
        if not all(_names(limit, plugin) for limit in self._limits):
            return replace(
                plugin,
                status=Status.NOT_ALLOWED,
                reason="the list of allowed plugins does not name it",
                hint=f"add it to `plugins` in the settings, or to {_ALLOWED_VARIABLE}",
            )
        return self._held_against_core(plugin, distribution.requirements)

    def _held_against_core(self, plugin: Plugin, requirements: Sequence[Requirement]) -> Plugin:
        if not requirements:
            return replace(plugin, warning=f"it does not say which {CORE} it works with")
        if self._core is None:
            return replace(plugin, warning=f"the version of {CORE} is not known")
        core = self._core
        if plugin_range.allow(requirements, core):
            return plugin
        needed = ", ".join(f"{CORE}{each.specifier}" for each in requirements)
        return replace(
            plugin,
            status=Status.INCOMPATIBLE,
            reason=f"it requires {needed}, and {CORE} {core} is installed",
            hint=f"try: pip install --upgrade {CORE} {plugin.distribution}",
        )

    def _not_installed(self, kind: Kind, name: str) -> Plugin:
        missing = Plugin(
            kind, name, status=Status.NOT_INSTALLED, reason="no installed distribution has it"
        )
        extra = _EXTRAS.get((kind, name))
        if extra is not None:
            return replace(missing, hint=f'install it: pip install "{CORE}[{extra}]"')
        of_kind = (each for each in self._installed if each.kind is kind)
        ready = sorted({each.name for each in of_kind if each.is_ready})
        close = difflib.get_close_matches(name, ready, n=1)
        if close:
            return replace(missing, hint=f"did you mean {close[0]!r}?")
        return replace(missing, hint=f"installed: {', '.join(ready) or 'none'}")


def _allowed_by_environment() -> list[str] | None:
    names = [name.strip() for name in os.environ.get(_ALLOWED_VARIABLE, "").split(",")]
    return [name for name in names if name] or None


def _names(limit: Iterable[str], plugin: Plugin) -> bool:
    distribution = canonicalize_name(plugin.distribution)
    return any(name == plugin.name or canonicalize_name(name) == distribution for name in limit)


def _installed_version() -> Version | None:
    try:
        return Version(metadata.version(CORE))
    except metadata.PackageNotFoundError:
        return None


def _plugins_of(distribution: PluginDistribution) -> Iterator[Plugin]:
    name, version = distribution.name, distribution.version
    kinds = {kind.group: kind for kind in Kind}
    if distribution.fault and not distribution.entry_points:
        for group in distribution.groups:
            if group in kinds:
                yield _broken(Plugin(kinds[group], name, name, version), distribution.fault)
    for point in distribution.entry_points:
        if point.group not in kinds:
            continue
        kind = kinds[point.group]
        plugin = Plugin(kind, point.name, name, version, point.value, _entry_point=point)
        yield _broken(plugin, distribution.fault) if distribution.fault else plugin


def _without_rivals(plugins: list[Plugin]) -> list[Plugin]:
    """Refuse plugins of one name, but for one that comes with despatch."""
    rivals: dict[tuple[Kind, str], list[Plugin]] = {}
    for plugin in plugins:
        if plugin.is_ready:
            rivals.setdefault((plugin.kind, plugin.name), []).append(plugin)
    return [_judged_among(plugin, rivals.get((plugin.kind, plugin.name), [])) for plugin in plugins]


def _judged_among(plugin: Plugin, rivals: list[Plugin]) -> Plugin:
    if not plugin.is_ready or plugin.is_built_in or len(rivals) == 1:
        return plugin
    others = " and ".join(
        f"{each.distribution} {each.version}" for each in rivals if each is not plugin
    )
    return replace(
        plugin,
        status=Status.DUPLICATE,
        reason=f"{others} has the same name",
        hint="uninstall all but one, or allow one by its distribution's name in `plugins`",
    )


class _Fault(Exception):
    """Why a plugin cannot be had."""


def _load(plugin: Plugin) -> Any:
    try:
        return _imported(plugin)
    except _Fault as fault:
        raise PluginError(_broken(plugin, str(fault)).explanation) from fault.__cause__


def _checked(plugin: Plugin) -> Plugin:
    if not plugin.is_ready:
        return plugin
    try:
        _imported(plugin)
    except _Fault as fault:
        return _broken(plugin, str(fault))
    return plugin


def _imported(plugin: Plugin) -> Any:
    if not plugin.is_ready or plugin._entry_point is None:
        raise PluginError(plugin.explanation)
    try:
        loaded = plugin._entry_point.load()
    except (Exception, SystemExit) as error:
        raise _Fault(f"importing {plugin.target} raised {type(error).__name__}: {error}") from error
    fault = _fault(plugin.kind, loaded)
    if fault is not None:
        raise _Fault(f"{plugin.target} {fault}")
    return loaded


def _fault(kind: Kind, loaded: Any) -> str | None:
    if kind is Kind.HOOKS:
        # pluggy is imported where there is a plugin for it, and nowhere else.
        from despatch.hooks import fault_of

        return fault_of(loaded)
    interface = kind.interface
    if not isinstance(loaded, type) or not issubclass(loaded, interface):
        return f"is not a subclass of {interface.__name__}"
    if inspect.isabstract(loaded):
        missing = ", ".join(sorted(getattr(loaded, "__abstractmethods__", ())))
        return f"does not implement {missing}"
    settings = getattr(loaded, "Settings", None)
    if not isinstance(settings, type) or not issubclass(settings, BaseModel):
        return "has no `Settings` that is a pydantic model"
    return None


def _broken(plugin: Plugin, reason: str) -> Plugin:
    return replace(
        plugin,
        status=Status.BROKEN,
        reason=reason,
        hint=f"try: pip install --upgrade --force-reinstall {plugin.distribution}, "
        "or tell its authors",
    )
