"""Declared: flags of a suite that are not written there, since the plugin's class says them."""

from __future__ import annotations

from typing import Any

from despatch.errors import PluginError
from despatch.plugins import Plugins

__all__ = ["Declared"]


class Declared:
    """A flag of a suite that is what an attribute of the plugin's class says.

    Args:
        attribute: The attribute's name.
    """

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, _: object, suite: Any) -> bool:
        try:
            plugin_class = Plugins().load(suite.kind, suite.plugin)
        except PluginError:
            # The tests apply, and each says why the plugin cannot be loaded.
            return True
        return bool(getattr(plugin_class, self._attribute))
