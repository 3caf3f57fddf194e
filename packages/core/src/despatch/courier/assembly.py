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
    """

    def __init__(self, settings: Settings, conceal: Concealer | None = None) -> None:
        self._simulation = settings.name
        self.conceal = conceal or Concealer()
        self.plugins = Plugins(allowed=settings.plugins)

    def ingress(self, source: IngressSettings) -> IngressConnector:
        """The connector of a source, with its serializer where it has one.

        Raises:
            Exception: The plugin is not there, or its class raises.
        """
        if isinstance(source.connector, IngressConnector):
            connector = source.connector
            self.conceal.learn(connector.settings)
        else:
            cls: type[IngressConnector] = self.plugins.load(Kind.INGRESS, source.connector)
            connector = cls(self._settings(cls, source), simulation=self._simulation)
        if source.serializer is not None:
            connector.serializer = self._serializer(source.serializer)
        return connector

    def egress(self, sink: EgressSettings) -> tuple[EgressConnector, Serializer | None]:
        """The connector of a sink, and the serializer where the connector uses one.

        Raises:
            Exception: A plugin is not there, or its class raises.
        """
        if isinstance(sink.connector, EgressConnector):
            connector = sink.connector
            self.conceal.learn(connector.settings)
        else:
            cls: type[EgressConnector] = self.plugins.load(Kind.EGRESS, sink.connector)
            connector = cls(self._settings(cls, sink))
        if not connector.uses_serializer:
            return connector, None
        return connector, self._serializer(sink.serializer)

    def state(self, chosen: StateSettings) -> StateSource:
        """The state source.

        Raises:
            Exception: The plugin is not there, or its class raises.
        """
        cls: type[StateSource] = self.plugins.load(Kind.STATES, chosen.source)
        return cls(self._settings(cls, chosen), simulation=self._simulation)

    def executor(self, chosen: ExecutorSettings) -> Executor:
        """The executor.

        Raises:
            Exception: The plugin is not there, or its class raises.
        """
        cls: type[Executor] = self.plugins.load(Kind.EXECUTORS, chosen.name)
        return cls(self._settings(cls, chosen))

    def _serializer(self, chosen: SerializerSettings) -> Serializer:
        cls: type[Serializer] = self.plugins.load(Kind.SERIALIZERS, chosen.name)
        return cls(self._settings(cls, chosen))

    def _settings(self, cls: type[Any], part: PluginPart) -> Any:
        own = cls.Settings.model_validate(part.plugin_settings)
        self.conceal.learn(own)
        return own
