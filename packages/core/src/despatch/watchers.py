"""Watchers: the hook plugins that are installed, called one by one.

Where none is installed, pluggy is not even imported.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from despatch.courier.backoff import describe
from despatch.errors import PluginError
from despatch.plugins import Kind, Plugin, Plugins, Status
from despatch.runs import RunInfo

if TYPE_CHECKING:
    import pluggy

__all__ = ["Watchers"]

_log = logging.getLogger("despatch.hooks")

_SILENT = (Status.READY, Status.NOT_ALLOWED)


class Watchers:
    """Calls the hooks of one run, in one of its processes.

    A plugin that cannot be loaded is logged, and the others are not hindered.

    Args:
        plugins: Where plugins are found; those that it does not allow are left out.
        run: What the run is; each hook may have it as its argument `run`.
    """

    def __init__(self, plugins: Plugins, run: RunInfo) -> None:
        self._run = run
        # A manager for each, so that one that raises keeps no other from its call.
        self._managers: list[tuple[Plugin, pluggy.PluginManager]] = []
        self._logged: set[tuple[str, str, type]] = set()
        for plugin in plugins.list():
            if plugin.kind is Kind.HOOKS:
                self._add(plugins, plugin)

    def watches(self, *hooks: str) -> bool:
        """Whether any plugin implements any of these hooks."""
        return any(
            getattr(manager.hook, hook).get_hookimpls()
            for _, manager in self._managers
            for hook in hooks
        )

    def call(self, hook: str, **arguments: Any) -> None:
        """Call a hook in each plugin that implements it; what one raises is logged."""
        for plugin, manager in self._managers:
            try:
                getattr(manager.hook, hook)(run=self._run, **arguments)
            except (Exception, SystemExit) as error:
                # The boundary to the plugin: it only watches, and must not end what it watches.
                self._report(plugin, hook, error)

    def _add(self, plugins: Plugins, plugin: Plugin) -> None:
        if not plugin.is_ready:
            if plugin.status not in _SILENT:
                _log.warning("%s", plugin.explanation, extra={"plugin": plugin.name})
            return
        try:
            loaded = plugins.load(Kind.HOOKS, plugin.name)
        except PluginError as error:
            _log.error("%s", error, extra={"plugin": plugin.name})
            return
        # pluggy is here only for those who need it.
        from despatch.hooks import new_manager

        manager = new_manager()
        manager.register(loaded, plugin.name)
        self._managers.append((plugin, manager))

    def _report(self, plugin: Plugin, hook: str, error: BaseException) -> None:
        """Say in full what is wrong once; a hook may be called a thousand times an hour."""
        kind = (plugin.name, hook, type(error))
        is_new = kind not in self._logged
        self._logged.add(kind)
        _log.log(
            logging.ERROR if is_new else logging.DEBUG,
            "hooks %s (%s %s): %s raised %s",
            plugin.name,
            plugin.distribution,
            plugin.version,
            hook,
            describe(error),
            exc_info=error if is_new else None,
            extra={"plugin": plugin.name},
        )
