"""References in settings: ``${NAME}``, ``${NAME:-default}`` and ``${file:/path}``.

A secret is kept out of a settings file by a reference to an environment variable or a file. The
file's data with its references is what a run's folder keeps; the values come in when the
settings are used. What came in by a reference is a `Referenced` text, which does not show itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import Secret, SecretBytes, SecretStr

__all__ = ["HIDDEN", "SECRETS", "Location", "Referenced", "plain", "substitute"]

Location: TypeAlias = tuple[str | int, ...]
"""Where a value is in the settings: ``("egress", 1, "batch")``."""

HIDDEN: Final = "**********"
"""What is shown in place of a secret; pydantic shows the same."""

SECRETS: Final = (Secret, SecretStr, SecretBytes)
"""The types that hold a secret."""

_MAXIMUM_SECRET: Final = 65_536
_ESCAPED: Final = "$${"
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class Referenced(str):
    """A text that came, in part at least, by references; `repr` hides it.

    Attributes:
        references: The references, such as ``${REDIS_PASSWORD}``, without their defaults.
    """

    references: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What to say instead of the text."""
        return f"what {' and '.join(self.references)} stands for"

    def __repr__(self) -> str:
        return repr(HIDDEN)


def plain(data: Any) -> Any:
    """The data with ordinary texts for those that are `Referenced`."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    return str(data) if isinstance(data, Referenced) else data


class _CannotResolve(Exception):
    """Why a reference has no value."""


def substitute(data: Any) -> tuple[Any, list[tuple[Location, str]]]:
    """Put values in the place of references, in every text of nested mappings and lists.

    ``$${`` stands for ``${`` itself. Keys are left as they are.

    Returns:
        The data, its resolved texts `Referenced`; and where a reference could not be resolved,
        and why. No message has a value in it.
    """
    problems: list[tuple[Location, str]] = []
    return _substituted(data, (), problems), problems


def _substituted(data: Any, where: Location, problems: list[tuple[Location, str]]) -> Any:
    if isinstance(data, Mapping):
        return {key: _substituted(data[key], (*where, key), problems) for key in data}
    if isinstance(data, list | tuple):
        return [_substituted(each, (*where, i), problems) for i, each in enumerate(data)]
    if isinstance(data, str) and "${" in data:
        return _text(data, where, problems)
    return data


def _text(text: str, where: Location, problems: list[tuple[Location, str]]) -> str:
    references: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        if match[0] == _ESCAPED:
            return "${"
        try:
            reference, value = _resolve(match)
        except _CannotResolve as error:
            problems.append((where, str(error)))
            # Whatever else is wrong with this text is not shown either.
            references.append("${…}")
            return ""
        references.append(reference)
        return value

    resolved = _REFERENCE.sub(value_of, text)
    if not references:
        return resolved
    referenced = Referenced(resolved)
    referenced.references = tuple(dict.fromkeys(references))
    return referenced


def _resolve(match: re.Match[str]) -> tuple[str, str]:
    inside: str = match["inside"]
    if match["end"] and inside.startswith("file:"):
        return match[0], _content(inside.removeprefix("file:"))
    variable = _VARIABLE.fullmatch(inside)
    if not match["end"] or variable is None:
        raise _CannotResolve(
            "expected ${NAME}, ${NAME:-default} or ${file:/path}, got another reference; "
            "write $${ where ${ itself is meant"
        )
    name, default = variable["name"], variable["default"]
    value = os.environ.get(name)
    if default is not None:
        value = value or default
    if value is None:
        raise _CannotResolve(
            f"the environment variable {name} is not set: set it, or write ${{{name}:-default}}"
        )
    return f"${{{name}}}", value


def _content(path: str) -> str:
    if not Path(path).is_absolute():
        raise _CannotResolve(f"expected an absolute path in ${{file:…}}, got {path!r}")
    try:
        with open(path, "rb") as file:
            content = file.read(_MAXIMUM_SECRET + 1)
        text = content.decode()
    except OSError as error:
        raise _CannotResolve(f"the file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _CannotResolve(f"the file {path} is not UTF-8 text") from error
    if len(content) > _MAXIMUM_SECRET:
        raise _CannotResolve(f"the file {path} is larger than {_MAXIMUM_SECRET} bytes")
    return text.removesuffix("\n").removesuffix("\r")
