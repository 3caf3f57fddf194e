"""Catalogue: which plugins are installed, by their metadata alone."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import metadata
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from despatch.names import NAME_IN_WORDS, is_name
from despatch.plugins import loading, ranges, trying
from despatch.plugins.kinds import Kind
from despatch.plugins.metadata import CORE, PluginDistribution, plugin_distributions
from despatch.plugins.plugin import Plugin, Status
from despatch.plugins.requirements import unmet

__all__ = ["Plugins"]

_ALLOWED_VARIABLE: Final = "DESPATCH_PLUGINS"
# Published with despatch and installed on demand: name to the extra that brings it.
_EXTRAS = {
    (Kind.INGRESS, "kafka"): "kafka",
    (Kind.EGRESS, "kafka"): "kafka",
    (Kind.INGRESS, "redis"): "redis",
    (Kind.EGRESS, "redis"): "redis",
    (Kind.EGRESS, "parquet"): "parquet",
    (Kind.EGRESS, "sql"): "sql",
    (Kind.SERIALIZERS, "avro"): "avro",
    (Kind.STATES, "parquet"): "parquet",
    (Kind.STATES, "redis"): "redis",
    (Kind.STATES, "sql"): "sql",
    (Kind.EXECUTORS, "ray"): "ray",
}


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
            loaded = self._loaded[kind, name] = loading.load(self.find(kind, name))
        return loaded

    def list(self, *, check: bool = False) -> Sequence[Plugin]:
        """All that is installed, by kind and name; nothing is imported here.

        Args:
            check: Whether to have each that is ready imported by a process of its own, to find
                out which are broken.
        """
        return trying.tried(self._installed) if check else self._installed

    def available(self) -> Sequence[Plugin]:
        """What is published with despatch and not installed, and the commands that install it."""
        names = {(each.kind, each.name) for each in self._installed}
        return [self._not_installed(*each) for each in _EXTRAS if each not in names]

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
        if not is_name(plugin.name):
            reason = f"it calls itself {plugin.name!r}: expected {NAME_IN_WORDS}"
            return plugin.refused(Status.BROKEN, reason, "its authors have to rename it")
        if plugin.name in plugin.kind.reserved:
            reason = f"despatch has a {plugin.kind.noun} of the same name"
            return plugin.refused(Status.DUPLICATE, reason, "its authors have to rename it")
        if not all(_names(limit, plugin) for limit in self._limits):
            return plugin.refused(
                Status.NOT_ALLOWED,
                "the list of allowed plugins does not name it",
                f"add it to `plugins` in the settings, or to {_ALLOWED_VARIABLE}",
            )
        plugin = self._held_against_core(plugin, distribution.core_requirements)
        return _held_against_others(plugin, distribution) if plugin.is_ready else plugin

    def _held_against_core(self, plugin: Plugin, requirements: Sequence[Requirement]) -> Plugin:
        if not requirements:
            return replace(plugin, warning=f"it does not say which {CORE} it works with")
        if self._core is None:
            return replace(plugin, warning=f"the version of {CORE} is not known")
        core = self._core
        if ranges.allow(requirements, core):
            return plugin
        needed = ", ".join(f"{CORE}{each.specifier}" for each in requirements)
        return plugin.refused(
            Status.INCOMPATIBLE,
            f"it requires {needed}, and {CORE} {core} is installed",
            f"try: pip install --upgrade {CORE} {plugin.distribution}",
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
                yield Plugin(kinds[group], name, name, version).broken(distribution.fault)
    for point in distribution.entry_points:
        if point.group not in kinds:
            continue
        kind = kinds[point.group]
        plugin = Plugin(kind, point.name, name, version, point.value, entry_point=point)
        yield plugin.broken(distribution.fault) if distribution.fault else plugin


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
    hint = "uninstall all but one, or allow one by its distribution's name in `plugins`"
    if any(each.is_built_in for each in rivals):
        hint = "its authors have to rename it"
    return plugin.refused(Status.DUPLICATE, f"{others} has the same name", hint)


def _held_against_others(plugin: Plugin, distribution: PluginDistribution) -> Plugin:
    missing = list(unmet(distribution.requirements))
    if not missing:
        return plugin
    wanted = " ".join(f'"{each.requirement}"' for each in missing)
    reason = "; ".join(each.reason for each in missing)
    return plugin.refused(Status.INCOMPATIBLE, reason, f"try: pip install {wanted}")
