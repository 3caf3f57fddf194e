"""Assembly: the connectors and serializers that settings name, made from their plugins."""

from __future__ import annotations

from despatch.interfaces import EgressConnector, IngressConnector, Serializer
from despatch.plugins import Kind, Plugins
from despatch.settings import EgressSettings, IngressSettings, SerializerSettings, Settings

__all__ = ["Assembly"]


class Assembly:
    """Makes what settings name, and imports the plugins it takes.

    Args:
        settings: The run's settings, secrets included.

    Attributes:
        plugins: Where plugins are found, as far as the settings allow them.
    """

    def __init__(self, settings: Settings) -> None:
        self._simulation = settings.name
        self.plugins = Plugins(allowed=settings.plugins)

    def ingress(self, source: IngressSettings) -> IngressConnector:
        """The connector of a source, with its serializer where it has one.

        Raises:
            Exception: The plugin is not there, or its class raises.
        """
        if isinstance(source.connector, IngressConnector):
            connector = source.connector
        else:
            cls: type[IngressConnector] = self.plugins.load(Kind.INGRESS, source.connector)
            own = cls.Settings.model_validate(source.plugin_settings)
            connector = cls(own, simulation=self._simulation)
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
        else:
            cls: type[EgressConnector] = self.plugins.load(Kind.EGRESS, sink.connector)
            connector = cls(cls.Settings.model_validate(sink.plugin_settings))
        if not connector.uses_serializer:
            return connector, None
        return connector, self._serializer(sink.serializer)

    def _serializer(self, chosen: SerializerSettings) -> Serializer:
        cls: type[Serializer] = self.plugins.load(Kind.SERIALIZERS, chosen.name)
        return cls(cls.Settings.model_validate(chosen.plugin_settings))
