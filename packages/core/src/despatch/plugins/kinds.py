"""The kinds of plugin: their entry point groups, what they are called, what they implement."""

from __future__ import annotations

import enum
from typing import Any, ClassVar, get_origin, get_type_hints

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
        """The class that a plugin of this kind is a subclass of; hooks are any `object`."""
        return _INTERFACES[self]

    @property
    def has_settings(self) -> bool:
        """Whether a plugin of this kind has a part of the settings file."""
        return self.interface is not object

    @property
    def declarations(self) -> tuple[str, ...]:
        """The class attributes by which a plugin of this kind says what it is."""
        hints = {} if self.interface is object else get_type_hints(self.interface)
        return tuple(name for name, hint in hints.items() if get_origin(hint) is ClassVar)


_NOUNS = {
    Kind.INGRESS: "ingress connector",
    Kind.EGRESS: "egress connector",
    Kind.SERIALIZERS: "serializer",
    Kind.STATES: "state source",
    Kind.EXECUTORS: "executor",
    Kind.HOOKS: "hook plugin",
}
_INTERFACES: dict[Kind, type[Any]] = {
    Kind.INGRESS: IngressConnector,
    Kind.EGRESS: EgressConnector,
    Kind.SERIALIZERS: Serializer,
    Kind.STATES: StateSource,
    Kind.EXECUTORS: Executor,
    Kind.HOOKS: object,
}
