"""The kinds of plugin: their entry point groups, what they are called, what they implement."""

from __future__ import annotations

import enum
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from despatch.interfaces import (
    EgressConnector,
    Executor,
    IngressConnector,
    Serializer,
    StateSource,
)
from despatch.plugins.metadata import CORE

__all__ = ["Kind"]


class Kind(enum.StrEnum):
    """The kinds of plugin; the value ends the name of the entry point group."""

    INGRESS = "ingress"
    EGRESS = "egress"
    SERIALIZERS = "serializers"
    STATES = "states"
    EXECUTORS = "executors"
    COMMANDS = "commands"
    HOOKS = "hooks"

    @property
    def group(self) -> str:
        """The entry point group."""
        return f"{CORE}.{self.value}"

    @property
    def noun(self) -> str:
        """What a plugin of this kind is called in a message."""
        return _NOUNS[self]

    @property
    def interface(self) -> type[Any]:
        """The class that it is a subclass of; commands and hooks are any `object`."""
        return _INTERFACES[self]

    @property
    def reserved(self) -> frozenset[str]:
        """Names of this kind that are despatch's own, though no entry point says so."""
        return _OWN_COMMANDS if self is Kind.COMMANDS else frozenset()

    @property
    def has_settings(self) -> bool:
        """Whether a plugin of this kind has a part of the settings file."""
        return self.interface is not object

    @property
    def declarations(self) -> dict[str, type[Any]]:
        """The class attributes, but for `Settings`, that say what it is; name to type."""
        if self.interface is object:
            return {}
        hints = get_type_hints(self.interface).items()
        declared = {name: get_args(hint)[0] for name, hint in hints if get_origin(hint) is ClassVar}
        return {name: cls for name, cls in declared.items() if isinstance(cls, type)}


_NOUNS = {
    Kind.INGRESS: "ingress connector",
    Kind.EGRESS: "egress connector",
    Kind.SERIALIZERS: "serializer",
    Kind.STATES: "state source",
    Kind.EXECUTORS: "executor",
    Kind.COMMANDS: "command",
    Kind.HOOKS: "hook plugin",
}
_OWN_COMMANDS = frozenset(
    {"backtest", "check", "dead-letters", "demo", "doctor", "forecast", "plugins", "replay"}
    | {"run", "runs", "schema"}
)
_INTERFACES: dict[Kind, type[Any]] = {
    Kind.INGRESS: IngressConnector,
    Kind.EGRESS: EgressConnector,
    Kind.SERIALIZERS: Serializer,
    Kind.STATES: StateSource,
    Kind.EXECUTORS: Executor,
    Kind.COMMANDS: object,
    Kind.HOOKS: object,
}
