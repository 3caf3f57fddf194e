"""What people write for a package that is no Python: keys of a settings file, and commands.

Unlike the names in the sources these are read by importing them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from despatch.cli.app import app
from despatch.plugins import Kind, Plugins
from despatch.plugins.setting_rows import Setting, settings_of
from despatch.settings import Settings
from workspace import CORE, Package

__all__ = ["commands", "settings"]
_OF_PLUGINS = ".plugin_settings"


def settings(package: Package) -> Iterator[str]:
    """The keys of a settings file that a package brings, a line each, with type and default."""
    if package.name == CORE.name:
        # A plugin's own settings are told by its own model.
        own = (each for each in settings_of(Settings) if not each.key.endswith(_OF_PLUGINS))
        yield from (f"setting {_line(each)}" for each in own)
    plugins = Plugins()
    for group, name in package.plugins:
        kind = next(each for each in Kind if each.group == f"despatch.{group}")
        model = getattr(plugins.load(kind, name), "Settings", None)
        if model is not None:
            yield f"{kind.noun} {name}"
            yield from (f"{kind.noun} {name}: {_line(each)}" for each in settings_of(model))


def commands(package: Package) -> Iterator[str]:
    """The commands that a package brings, a line each, and a line for each of their parameters."""
    if package.name == CORE.name:
        yield from _commands(typer.main.get_command(app), app.info.name or "")


def _line(setting: Setting) -> str:
    default = f" = {setting.default}" if setting.default else ", required"
    return f"{setting.key}: {setting.type}{default}"


def _commands(command: Any, path: str) -> Iterator[str]:
    # What `--help` lists without importing it has to be imported here.
    command = command.load() if hasattr(command, "load") else command
    yield f"command {path}"
    for parameter in sorted(command.params, key=lambda each: str(each.name)):
        if "--help" not in parameter.opts:
            yield f"command {path}: {_parameter(parameter)}"
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(inner, f"{path} {name}")


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = str(parameter.name).upper()
    else:
        takes_value = not getattr(parameter, "is_flag", False)
        name = "/".join(sorted(parameter.opts + parameter.secondary_opts))
        name += " VALUE" if takes_value else ""
    return f"{name}{', required' if parameter.required else ''}"
