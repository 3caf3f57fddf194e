"""The model that a settings file names."""

from __future__ import annotations

import sys
from pathlib import Path

from despatch.errors import Problem, SettingsError
from despatch.run import Model
from despatch.settings import Settings
from despatch.settings_file import check_model

__all__ = ["find_model"]


def find_model(settings: Settings, settings_file: Path) -> Model:
    """Import the model, from the settings file's own folder first.

    Raises:
        SettingsError: It is not named, or cannot be imported.
    """
    folder = str(settings_file.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found = check_model(settings)
    if isinstance(found, Problem):
        raise SettingsError([found], str(settings_file))
    return found
