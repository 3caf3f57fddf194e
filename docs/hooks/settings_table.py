"""A plugin's settings as rows of a table, none of them without a word of help."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from despatch.plugins.setting_rows import Setting
from despatch.plugins.setting_rows import settings_of as _settings_of

__all__ = ["Setting", "UndocumentedError", "settings_of"]


class UndocumentedError(Exception):
    """A setting without a word of help."""


def settings_of(model: type[BaseModel]) -> Iterator[Setting]:
    """A model's settings, each followed by those of the mapping that it is.

    Raises:
        UndocumentedError: Neither a description nor a docstring says what a setting is for.
    """
    for setting in _settings_of(model):
        if not setting.help:
            raise UndocumentedError(
                f"{setting.place} is not documented: expected it under "
                "`Attributes:` in the docstring, or a `Field(description=...)`"
            )
        yield setting
