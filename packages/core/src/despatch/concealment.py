"""Concealment: secrets are taken out of what plugins and client libraries say.

Settings do not show what they hold as a secret. But a client library that was given one may quote
it when it fails, and what it says becomes a log line, a state, or a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from despatch.settings.references import HIDDEN, SECRETS

__all__ = ["Concealer"]

_SHORTEST: Final = 4
_SHORTEST_PART: Final = 8


class Concealer:
    """Puts asterisks in the place of the secrets that it has been told.

    A secret of fewer than 4 characters is left: it would be found in every other word. Of a URL it
    conceals the whole and the password, of ``key=value&…`` the whole and the values of at least 8
    characters.
    """

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, settings: BaseModel) -> None:
        """Remember each secret that settings hold, at any depth."""
        found = {form for secret in _secrets_in(settings) for form in _forms_of(secret)}
        self._secrets |= {form for form in found if len(form) >= _SHORTEST}
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _secrets_in(data: Any) -> Iterator[str]:
    if isinstance(data, SECRETS):
        secret = data.get_secret_value()
        if isinstance(secret, bytes):
            yield secret.decode(errors="ignore")
        elif isinstance(secret, str):
            yield secret
        else:
            yield from _secrets_in(secret)
    elif isinstance(data, BaseModel):
        for _, value in data:
            yield from _secrets_in(value)
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _secrets_in(value)
    elif isinstance(data, list | tuple | set | frozenset):
        for value in data:
            yield from _secrets_in(value)


def _forms_of(secret: str) -> Iterator[str]:
    """A secret, and those of its parts that are as secret."""
    yield secret
    yield from (part for part in re.findall("=([^&;]+)", secret) if len(part) >= _SHORTEST_PART)
    try:
        password = urlsplit(secret).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
