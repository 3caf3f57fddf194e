"""Reading a settings file and the model that it names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from despatch.models import find_model
from despatch.run import Model
from despatch.settings import Settings
from despatch.settings.file import load_settings

__all__ = ["read"]


def read(
    settings_file: Path, overrides: Mapping[str, object] | None = None
) -> tuple[Settings, Model]:
    """The settings and the model, which is looked for beside the settings file too.

    Raises:
        SettingsError: There are mistakes in the file, or the model cannot be imported.
    """
    folder = str(settings_file.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    settings = load_settings(
        settings_file, overrides=overrides, import_model=True, make_plugins=True
    )
    assert settings.model is not None  # else `load_settings` would have reported it
    return settings, find_model(settings.model)
