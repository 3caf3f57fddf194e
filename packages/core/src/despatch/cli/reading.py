"""Reading a settings file and the model that it names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from despatch.errors import Problem, SettingsError
from despatch.models import ModelError, find_model, find_resume
from despatch.restoring.beginning import Resume
from despatch.run import Model
from despatch.settings import Settings
from despatch.settings.file import load_settings

__all__ = ["read", "resume_beside"]


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


def resume_beside(settings: Settings) -> Resume | None:
    """What has the model begin from a state, where there is such a function beside the model.

    Raises:
        SettingsError: What is there cannot be called.
    """
    assert settings.model is not None
    try:
        return find_resume(settings.model)
    except ModelError as error:
        raise SettingsError([Problem("model", f"`resume` beside it: {error}")]) from error
