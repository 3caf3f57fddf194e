"""Making: an object of a plugin's class, which its constructor may refuse."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from despatch.errors import PluginError
from despatch.plugins.plugin import Plugin

__all__ = ["make"]


def make(plugin: Plugin, cls: type[Any], settings: BaseModel, **arguments: Any) -> Any:
    """Make an object of a plugin's class.

    Args:
        plugin: The plugin.
        cls: Its class.
        settings: What it is made with, of its own model.
        **arguments: What else its interface's constructor takes.

    Raises:
        PluginError: The constructor raises. The message repeats what it says, which may be a
            secret.
    """
    try:
        return cls(settings, **arguments)
    except (Exception, SystemExit) as error:
        told = f"making {plugin.target} raised {type(error).__name__}: {error}"
        raise PluginError(plugin.broken(told).explanation) from error
