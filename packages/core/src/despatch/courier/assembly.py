"""Assembly: the plugins that settings name, made with their own settings."""

from __future__ import annotations

from typing import Any

from despatch.concealment import Concealer
from despatch.interfaces import (
    EgressConnector,
    Executor,
    IngressConnector,
    Serializer,
    StateSource,
)
from despatch.plugins import Kind, Plugins
from despatch.plugins.making import make
from despatch.settings import (
    EgressSettings,
    ExecutorSettings,
    IngressSettings,
    SerializerSettings,
    Settings,
    StateSettings,
)
from despatch.settings.entries import PluginPart

__all__ = ["Assembly"]


class Assembly:
    """Makes what settings name, and imports the plugins it takes.

    Args:
        settings: The run's settings, secrets included.
        conceal: Learns their secrets.

    Attributes:
        plugins: Where plugins are found, as far as the settings allow them.
        conceal: Knows the secrets of the plugins that were made.
        identities: The plugins that are named, each with its kind, name, distribution and version,
            by ``sink NAME``, ``ingress NAME``, ``state`` or ``executor``.
    """

    def __init__(self, settings: Settings, conceal: Concealer | None = None) -> None:
        self._simulation = settings.name
        self.conceal = conceal or Concealer()
        self.plugins = Plugins(allowed=settings.plugins)
        executor = self.plugins.find(Kind.EXECUTORS, settings.executor.name)
        self.identities = {"executor": executor.identity}
        if settings.state is not None:
            state = self.plugins.find(Kind.STATES, settings.state.source)
            self.identities["state"] = state.identity
        for source in settings.ingress:
            self.identities[f"ingress {source.name}"] = self._identity(source)
        for sink in settings.egress:
            self.identities[f"sink {sink.name}"] = self._identity(sink)

    def ingress(self, source: IngressSettings) -> IngressConnector:
        """The connector of a source, with its serializer where it has one.

        Raises:
            PluginError: The plugin is not there, or its class raises.
        """
        if isinstance(source.connector, IngressConnector):
            connector = source.connector
            self.conceal.learn(connector.settings)
        else:
            connector = self._made(
                Kind.INGRESS, source.connector, source, simulation=self._simulation
            )
        if source.serializer is not None:
            connector.serializer = self._serializer(source.serializer)
        return connector

    def egress(self, sink: EgressSettings) -> tuple[EgressConnector, Serializer | None]:
        """The connector of a sink, and the serializer where the connector uses one.

        Raises:
            PluginError: A plugin is not there, or its class raises.
        """
        if isinstance(sink.connector, EgressConnector):
            connector = sink.connector
            self.conceal.learn(connector.settings)
        else:
            connector = self._made(Kind.EGRESS, sink.connector, sink)
        if not connector.uses_serializer:
            return connector, None
        return connector, self._serializer(sink.serializer)

    def state(self, chosen: StateSettings) -> StateSource:
        """The state source.

        Raises:
            PluginError: The plugin is not there, or its class raises.
        """
        simulation = self._simulation
        made: StateSource = self._made(Kind.STATES, chosen.source, chosen, simulation=simulation)
        return made

    def executor(self, chosen: ExecutorSettings) -> Executor:
        """The executor.

        Raises:
            PluginError: The plugin is not there, or its class raises.
        """
        made: Executor = self._made(Kind.EXECUTORS, chosen.name, chosen)
        return made

    def _serializer(self, chosen: SerializerSettings) -> Serializer:
        made: Serializer = self._made(Kind.SERIALIZERS, chosen.name, chosen)
        return made

    def _made(self, kind: Kind, name: str, part: PluginPart, **arguments: Any) -> Any:
        cls = self.plugins.load(kind, name)
        own = cls.Settings.model_validate(part.plugin_settings)
        self.conceal.learn(own)
        return make(self.plugins.find(kind, name), cls, own, **arguments)

    def _identity(self, entry: IngressSettings | EgressSettings) -> str:
        if not isinstance(entry.connector, str):
            return f"the live connector {type(entry.connector).__name__}"
        kind = Kind.INGRESS if isinstance(entry, IngressSettings) else Kind.EGRESS
        return self.plugins.find(kind, entry.connector).identity
