"""Names that Avro takes, made of names that Python takes, so that no two become one.

Avro allows ``[A-Za-z_][A-Za-z0-9_]*`` (https://avro.apache.org/docs/1.12.0/specification/#names).
Every other character becomes its code point, ``_x005B_`` for ``[``, as .NET's
``XmlConvert.EncodeName`` writes it; a name that holds such a group already has its underscore
written that way.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Names", "is_legal", "legal", "legal_path"]

_LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9_]|^[0-9]|_(?=x(?:[0-9A-F]{4}|[0-9A-F]{8})?_)", re.ASCII)
_EMPTY: Final = "_x_"


def is_legal(name: str) -> bool:
    """Whether Avro takes a name as it is, without a namespace."""
    return _LEGAL.fullmatch(name) is not None


def legal(name: str) -> str:
    """A name as Avro takes it; different names stay different."""
    return _TO_ESCAPE.sub(_code_point, name) or _EMPTY


def legal_path(name: str) -> str:
    """The same for a name with dots, which stay: ``plant.parts.PartDone``."""
    return ".".join(map(legal, name.split(".")))


def _code_point(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"_x{code:04X}_" if code < 0x10000 else f"_x{code:08X}_"


class Names:
    """Hands out the full names of one namespace, each once."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """A full name: the one that is asked for, or else with ``_2``, ``_3`` … behind it."""
        wanted = legal(name)
        taken, count = wanted, 1
        while taken in self._taken:
            count += 1
            taken = f"{wanted}_{count}"
        self._taken.add(taken)
        return f"{self._namespace}.{taken}"
