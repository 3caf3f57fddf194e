"""Schemas as texts, read into what encodes and decodes by them.

A schema may come from a registry, so it is data: it is bounded in size and in depth before
fastavro parses it, which does so in C and ends the process where it is nested too deep.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

__all__ = ["LARGEST_SCHEMA_BYTES", "PRIMITIVES", "AvroSchema", "Node", "SchemaError"]

Node: TypeAlias = Any
"""A part of a schema: a name, a mapping, or the list of a union's branches."""

LARGEST_SCHEMA_BYTES: Final = 1024 * 1024
_DEEPEST: Final = 256

PRIMITIVES: Final = frozenset(
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
)


class SchemaError(ValueError):
    """A text that is no Avro schema, or is too large or too deep to be read as one."""


@dataclass(frozen=True)
class AvroSchema:
    """A schema, parsed.

    Attributes:
        text: The schema as JSON.
        root: The same as fastavro parsed it: full names everywhere.
        named: Its records, enums and fixeds, by their full names.
    """

    text: str
    root: Node = field(repr=False, compare=False)
    named: Mapping[str, dict[str, Any]] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> AvroSchema:
        """Parse a schema.

        Args:
            text: At most 1 MiB, at most 256 levels deep.

        Raises:
            SchemaError: This is none.
        """
        if len(text) > LARGEST_SCHEMA_BYTES:
            raise SchemaError(f"expected a schema of at most {LARGEST_SCHEMA_BYTES} characters")
        try:
            plain = json.loads(text)
            _check_depth(plain, _DEEPEST)
        except RecursionError:
            raise SchemaError("expected a schema, found JSON that is nested too deep") from None
        except ValueError as error:
            raise SchemaError(f"expected a schema in JSON: {error}") from error
        return cls._of(plain, text)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> AvroSchema:
        """Parse a schema that was made here."""
        return cls._of(plain, json.dumps(plain, separators=(",", ":")))

    @classmethod
    def _of(cls, plain: Any, text: str) -> AvroSchema:
        named: dict[str, Any] = {}
        try:
            root = fastavro.parse_schema(plain, named, _force=True)
        except Exception as error:  # fastavro meets a schema that is none with any of several
            reason = f"{type(error).__name__}: {error}"
            raise SchemaError(f"expected an Avro schema: {reason[:300]}") from error
        return cls(text, root, named)

    @property
    def name(self) -> str:
        """Its full name; of a schema that has none, its type."""
        if isinstance(self.root, dict):
            return str(self.root.get("name", self.root["type"]))
        return "union" if isinstance(self.root, list) else str(self.root)

    @cached_property
    def fingerprint(self) -> bytes:
        """The CRC-64-AVRO of its canonical form, 8 bytes, little-endian.

        Source: https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints
        """
        return bytes.fromhex(
            fingerprint(to_parsing_canonical_form(json.loads(self.text)), "CRC-64-AVRO")
        )

    def resolved(self, node: Node) -> Node:
        """What a name stands for; what is no name, as it is."""
        return self.named[node] if isinstance(node, str) and node not in PRIMITIVES else node


def _check_depth(value: Any, levels: int) -> None:
    if not isinstance(value, dict | list):
        return
    if levels == 0:
        raise ValueError(f"nested more than {_DEEPEST} levels deep")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, levels - 1)
