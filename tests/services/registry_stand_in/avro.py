"""What a registry has to know of Avro: is this a schema, and can it read what that one wrote?

Both are as the specification has it (https://avro.apache.org/docs/1.11.1/specification/): names and
references under "Names", what can be read under "Schema Resolution". Logical types are not looked
at, as in Avro's own check of compatibility.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["InvalidSchemaError", "canonical", "parse", "why_unreadable"]

PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

# A parsed schema: the name of a primitive, a list (a union), or a dict with references resolved and
# full names, where fields are a dict by their name.
Parsed = Any


class InvalidSchemaError(ValueError):
    """A text that is no Avro schema."""


def canonical(text: str) -> str:
    """The schema without the white space that a registry does not keep."""
    return json.dumps(read_json(text), separators=(",", ":"))


def read_json(text: str) -> Any:
    """A text's JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidSchemaError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidSchemaError("too deep") from error


def parse(text: str) -> Parsed:
    """Read a schema.

    Raises:
        InvalidSchemaError: It is none.
    """
    try:
        return parse_node(read_json(text), "", {})
    except RecursionError as error:
        raise InvalidSchemaError("too deep") from error


def parse_node(node: Any, namespace: str, named: dict[str, Parsed]) -> Parsed:
    """Read a part of a schema, where the types of `named` are known."""
    if isinstance(node, list):
        return parse_union(node, namespace, named)
    if isinstance(node, str):
        if node in PRIMITIVES:
            return node
        for name in (qualified(node, namespace), node):
            if name in named:
                return named[name]
        raise InvalidSchemaError(f"unknown type {node!r}")
    if not isinstance(node, dict) or "type" not in node:
        raise InvalidSchemaError(f"no type: {node!r}")
    match node["type"]:
        case "record" | "error" | "enum" | "fixed":
            return parse_named(node, namespace, named)
        case "array":
            return {"type": "array", "items": parse_node(node.get("items"), namespace, named)}
        case "map":
            return {"type": "map", "values": parse_node(node.get("values"), namespace, named)}
        case inner:
            return parse_node(inner, namespace, named)


def parse_union(branches: list[Any], namespace: str, named: dict[str, Parsed]) -> Parsed:
    """Read a union, whose branches have to be of different kinds."""
    parsed = [parse_node(branch, namespace, named) for branch in branches]
    if any(isinstance(branch, list) for branch in parsed):
        raise InvalidSchemaError("a union within a union")
    kinds = [kind(branch) for branch in parsed]
    if len(set(kinds)) < len(kinds):
        raise InvalidSchemaError(f"a union that holds a type twice: {kinds}")
    return parsed


def parse_named(node: dict[str, Any], namespace: str, named: dict[str, Parsed]) -> Parsed:
    """Read a record, an enum or a fixed, which may then be referred to by its name."""
    name = node.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidSchemaError(f"not a name: {name!r}")
    name = qualified(name, node.get("namespace", namespace) or "")
    if name in named:
        raise InvalidSchemaError(f"{name} is defined twice")
    parsed: dict[str, Any] = {"type": node["type"], "name": name}
    parsed["aliases"] = {
        qualified(alias, name.rpartition(".")[0]) for alias in node.get("aliases", [])
    }
    named[name] = parsed
    if node["type"] == "fixed":
        size = node.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidSchemaError(f"{name}: not a size: {size!r}")
        parsed["size"] = size
    elif node["type"] == "enum":
        parsed["symbols"], parsed["default"] = parse_symbols(node, name), node.get("default")
    else:
        parsed["fields"] = parse_fields(node.get("fields"), name, named)
    return parsed


def parse_symbols(node: dict[str, Any], name: str) -> list[str]:
    """The symbols of an enum."""
    symbols = node.get("symbols")
    if not isinstance(symbols, list) or len(set(map(str, symbols))) < len(symbols):
        raise InvalidSchemaError(f"{name}: not symbols: {symbols!r}")
    for symbol in symbols:
        if not isinstance(symbol, str) or not NAME.fullmatch(symbol) or "." in symbol:
            raise InvalidSchemaError(f"{name}: not a symbol: {symbol!r}")
    return symbols


def parse_fields(fields: Any, name: str, named: dict[str, Parsed]) -> dict[str, Any]:
    """The fields of a record, by their name."""
    if not isinstance(fields, list):
        raise InvalidSchemaError(f"{name}: not fields: {fields!r}")
    parsed: dict[str, Any] = {}
    for field in fields:
        label = field.get("name") if isinstance(field, dict) else None
        if not isinstance(label, str) or not NAME.fullmatch(label) or "." in label:
            raise InvalidSchemaError(f"{name}: not a field's name: {label!r}")
        if label in parsed:
            raise InvalidSchemaError(f"{name}: two fields {label}")
        parsed[label] = {
            "type": parse_node(field.get("type"), name.rpartition(".")[0], named),
            "aliases": set(field.get("aliases", [])),
            "has_default": "default" in field,
        }
    return parsed


def qualified(name: str, namespace: str) -> str:
    """The full name of `name`, used in `namespace`."""
    return f"{namespace}.{name}" if namespace and "." not in name else name


def kind(schema: Parsed) -> str:
    """What tells a union's branches apart: the name, or the type of what has none."""
    if isinstance(schema, dict):
        return str(schema.get("name", schema["type"]))
    return "union" if isinstance(schema, list) else str(schema)


def why_unreadable(
    reader: Parsed, writer: Parsed, assumed: frozenset[tuple[int, int]] = frozenset()
) -> str | None:
    """Why data of the schema `writer` cannot be read with `reader`; None where it can."""
    pair = (id(reader), id(writer))
    if pair in assumed:  # a type that holds itself
        return None
    assumed |= {pair}
    if isinstance(writer, list):
        reasons = (why_unreadable(reader, branch, assumed) for branch in writer)
        return next((reason for reason in reasons if reason), None)
    if isinstance(reader, list):
        if any(why_unreadable(branch, writer, assumed) is None for branch in reader):
            return None
        return f"no branch of the union reads {kind(writer)}"
    if isinstance(reader, str) or isinstance(writer, str):
        names = isinstance(reader, str) and isinstance(writer, str)
        if names and (reader == writer or reader in PROMOTIONS.get(writer, ())):
            return None
        return f"{kind(writer)} cannot be read as {kind(reader)}"
    return why_complex_unreadable(reader, writer, assumed)


def why_complex_unreadable(
    reader: dict[str, Any], writer: dict[str, Any], assumed: frozenset[tuple[int, int]]
) -> str | None:
    """The same for two schemas that are neither primitives nor unions."""
    if reader["type"] != writer["type"]:
        return f"{kind(writer)} cannot be read as {kind(reader)}"
    match reader["type"]:
        case "array":
            return why_unreadable(reader["items"], writer["items"], assumed)
        case "map":
            return why_unreadable(reader["values"], writer["values"], assumed)
    same = reader["name"].rpartition(".")[2] == writer["name"].rpartition(".")[2]
    if not same and writer["name"] not in reader["aliases"]:
        return f"{writer['name']} is called {reader['name']}"
    if reader["type"] == "fixed":
        if reader["size"] != writer["size"]:
            return f"{reader['name']} has {reader['size']} bytes, not {writer['size']}"
        return None
    if reader["type"] == "enum":
        missing = [each for each in writer["symbols"] if each not in reader["symbols"]]
        if missing and reader["default"] is None:
            return f"{reader['name']} lacks {', '.join(missing)}"
        return None
    for name, field in reader["fields"].items():
        known = [each for each in (name, *field["aliases"]) if each in writer["fields"]]
        if known:
            written = writer["fields"][known[0]]["type"]
            if reason := why_unreadable(field["type"], written, assumed):
                return f"{reader['name']}.{name}: {reason}"
        elif not field["has_default"]:
            return f"{reader['name']}.{name} is new and has no default"
    return None
