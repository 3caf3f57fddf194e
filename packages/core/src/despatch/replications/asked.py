"""What is asked for: settings, a number of replications, and a seed, checked and resolved."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from despatch.distributions.seeds import checked_seed, new_seed
from despatch.errors import Problem, SettingsError
from despatch.renderings import excerpt
from despatch.settings import Settings
from despatch.settings.file import load_settings, settings_from

__all__ = ["asked_settings", "base_seed", "checked_count", "with_arguments"]

_NO_MODEL: Final = "is required: expected module:callable, such as line_a:build"


def asked_settings(
    given: str | Path | Mapping[str, Any], **replacing: Any
) -> tuple[Settings, str | None]:
    """The settings, and the folder of their file.

    Args:
        given: A settings file, or a mapping that says what it would.
        **replacing: What takes the place of a part, by its key, such as `executor`; None leaves it.

    Raises:
        SettingsError: They have mistakes, or name no model.
        TypeError: They are neither.
    """
    # They take the place of what is there, and are not merged with it, as overrides are.
    changes = {key: value for key, value in replacing.items() if value is not None}
    if isinstance(given, Mapping):
        settings, origin = settings_from({**given, **changes}), None
    elif isinstance(given, str | Path):
        settings = load_settings(given)
        origin = str(Path(given).absolute().parent)
        if changes:
            chosen = settings_from({**changes, "plugins": settings.plugins})
            settings = settings.model_copy(update={key: getattr(chosen, key) for key in changes})
    else:
        raise TypeError(f"settings: expected a settings file or a mapping, not {excerpt(given)}")
    if settings.model is None:
        raise SettingsError([Problem("model", _NO_MODEL)])
    return settings, origin


def with_arguments(settings: Settings, section: str, given: Mapping[str, Any]) -> Settings:
    """The settings, with what was given in place of what they say in a section.

    Args:
        settings: The settings.
        section: The section, such as ``forecast``.
        given: Key to value, as a file would say it; None leaves it.

    Raises:
        SettingsError: What was given has mistakes.
    """
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        return settings
    chosen = getattr(settings_from({section: changes, "plugins": settings.plugins}), section)
    update = {key: getattr(chosen, key) for key in changes}
    merged = getattr(settings, section).model_copy(update=update)
    return settings.model_copy(update={section: merged})


def base_seed(settings: Settings, seed: int | None) -> int:
    """The seed that all seeds are made from: the one given, the settings' own, or a new one."""
    if seed is not None:
        return checked_seed(seed)
    return new_seed() if settings.seed is None else settings.seed


def checked_count(replications: object, least: int = 1) -> int:
    """A number of replications.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is less than `least`.
    """
    try:
        count = operator.index(replications)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        raise TypeError(
            f"replications: expected a whole number, not {excerpt(replications)}"
        ) from None
    if count < least:
        raise ValueError(f"replications: expected at least {least}, not {count}")
    return count
