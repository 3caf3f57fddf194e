"""Secrecy: the secrets that settings hold, and whether they are to be seen anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from despatch.concealment import Concealer
from despatch.plugins.setting_rows import settings_of

__all__ = ["SECRET", "secrets_shown", "unprotected", "with_secrets"]

SECRET: Final = "hunter2-of-the-conformance-kit"
"""What stands for a secret in the tests."""

_TOLD_BY_NAME: Final = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|credentials?|api_key|access_key)$"
)


def with_secrets(model: type[BaseModel], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings with a secret in each setting that may hold one and is not given.

    One that makes the settings invalid, such as a password without a user, is left out.
    """
    filled = dict(settings)
    for setting in settings_of(model):
        if not setting.is_secret or setting.key in settings or "." in setting.key:
            continue
        with suppress(ValidationError):
            model.model_validate({**filled, setting.key: SECRET})
            filled[setting.key] = SECRET
    return filled


def unprotected(model: type[BaseModel]) -> list[str]:
    """The settings that are secrets by their names, and not by their types."""
    return [
        setting.key
        for setting in settings_of(model)
        if _TOLD_BY_NAME.search(setting.key.rpartition(".")[2]) and not setting.is_secret
    ]


def secrets_shown(settings: BaseModel, text: str) -> str:
    """The text with asterisks where it shows a secret of the settings; empty where it does not."""
    conceal = Concealer()
    conceal.learn(settings)
    concealed = conceal(text)
    return "" if concealed == text else concealed
