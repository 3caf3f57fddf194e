"""The plugins' parts of settings: held against what each plugin itself says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from despatch.concealment import Concealer
from despatch.errors import PluginError
from despatch.plugins import Kind, Plugin, Plugins
from despatch.plugins.making import make
from despatch.settings import Settings
from despatch.settings.entries import (
    EgressSettings,
    ExecutorSettings,
    IngressSettings,
    PluginPart,
    SerializerSettings,
    StateSettings,
    by_name,
    doubles,
    named,
)
from despatch.settings.explanations import dotted, explain, hidden, keys_of, unknown_key
from despatch.settings.references import HIDDEN, Location, Referenced

__all__ = ["PluginParts"]

_DEFAULT_SERIALIZER: Final = {"name": "json"}


class PluginParts:
    """What is wrong with the entries of settings, as far as it takes their plugins to tell.

    Only the plugins that are named are imported.

    Args:
        data: The settings, resolved and perhaps malformed: what isn't as it should be, and is
            the core's, is passed over, since the core's own model reports it.
        plugins: Where plugins are found.
        is_making: Whether to make an object of each whose part is in order, as a run does, and to
            let go of it. A constructor connects to nothing.

    Attributes:
        problems: Where something is wrong, and what.
    """

    def __init__(
        self, data: Mapping[str, Any], plugins: Plugins, *, is_making: bool = False
    ) -> None:
        self.problems: list[tuple[Location, str]] = []
        self._is_making = is_making
        self._plugins = plugins
        self._shown: dict[Location, Any] = {}
        name = data.get("name")
        self._simulation = name if isinstance(name, str) else "simulation"
        courier = data.get("courier")
        host = courier.get("host", "process") if isinstance(courier, Mapping) else "process"
        self._is_process = host == "process"
        self._each(("ingress",), data.get("ingress"), self._check_ingress)
        self._each(("egress",), data.get("egress"), self._check_egress)
        forecast = data.get("forecast")
        if isinstance(forecast, Mapping):
            self._each(("forecast", "egress"), forecast.get("egress"), self._check_egress)
        self._one(("state",), data.get("state"), Kind.STATES, StateSettings)
        self._one(("executor",), data.get("executor"), Kind.EXECUTORS, ExecutorSettings)

    def show_in(self, settings: Settings) -> None:
        """Tell the settings made of the same data which of the plugins' values may be shown."""
        for i, source in enumerate(settings.ingress):
            source.show(self._shown.get(("ingress", i), {}))
            if source.serializer is not None:
                source.serializer.show(self._shown.get(("ingress", i, "serializer"), {}))
        sinks: list[tuple[Location, list[EgressSettings]]] = [
            (("egress",), settings.egress),
            (("forecast", "egress"), settings.forecast.egress),
        ]
        for where, entries in sinks:
            for i, sink in enumerate(entries):
                sink.show(self._shown.get((*where, i), {}))
                sink.serializer.show(self._shown.get((*where, i, "serializer"), {}))
        if settings.state is not None:
            settings.state.show(self._shown.get(("state",), {}))
        if "executor" in settings.model_fields_set:
            settings.executor.show(self._shown.get(("executor",), {}))

    def _each(
        self,
        where: Location,
        entries: Any,
        check: Callable[[Location, Mapping[str, Any]], None],
    ) -> None:
        if not isinstance(entries, list):
            return
        entries = named(entries)
        names = [each.get("name") if isinstance(each, Mapping) else None for each in entries]
        for i, first in doubles(names):
            message = f"expected another name than that of {dotted((*where, first))}"
            self.problems.append(((*where, i, "name"), message))
        for i, entry in enumerate(entries):
            if isinstance(entry, Mapping):
                check((*where, i), entry)

    def _one(self, where: Location, given: Any, kind: Kind, model: type[PluginPart]) -> None:
        """Check a part of which the plugin's name alone may be given."""
        part = by_name(given)
        if isinstance(part, Mapping):
            place = where if isinstance(given, str) else (*where, model.plugin_key)
            self._check_part(where, place, part, kind, model)

    def _check_ingress(self, where: Location, entry: Mapping[str, Any]) -> None:
        connector = self._check_connector(where, entry, Kind.INGRESS, IngressSettings)
        self._check_serializer(where, entry, connector)

    def _check_egress(self, where: Location, entry: Mapping[str, Any]) -> None:
        connector = self._check_connector(where, entry, Kind.EGRESS, EgressSettings)
        if connector is not None:
            entry = {"serializer": _DEFAULT_SERIALIZER, **entry}
        self._check_serializer(where, entry, connector)

    def _check_serializer(self, where: Location, entry: Mapping[str, Any], connector: Any) -> None:
        given = entry.get("serializer")
        if given is None:
            return
        where = (*where, "serializer")
        if connector is None or connector.uses_serializer:
            self._one(where, given, Kind.SERIALIZERS, SerializerSettings)
        elif by_name(given) != _DEFAULT_SERIALIZER:
            self.problems.append((where, "expected none: this connector uses no serializer"))

    def _check_connector(
        self, where: Location, entry: Mapping[str, Any], kind: Kind, model: type[PluginPart]
    ) -> Any:
        """Check a connector's part; its class, or itself if it is live, or None."""
        connector = entry.get("connector")
        place = (*where, "connector")
        if isinstance(connector, kind.interface):
            for key in model.plugin_part(entry):
                message = "unknown setting: a live connector has its settings already"
                self.problems.append(((*where, key), message))
            needs_thread = True
        else:
            connector = self._check_part(where, place, entry, kind, model)
            needs_thread = getattr(connector, "needs_thread", False)
        if needs_thread and self._is_process:
            message = "lives in the simulator's own process: it needs `courier: {host: thread}`"
            self.problems.append((place, message))
        return connector

    def _check_part(
        self,
        where: Location,
        place: Location,
        part: Mapping[str, Any],
        kind: Kind,
        model: type[PluginPart],
    ) -> Any:
        """Check a part against the plugin that it names; the plugin's class, or None.

        Args:
            where: Where the part is.
            place: Where the plugin's name is.
            part: The part, the core's keys included.
            kind: The kind of plugin.
            model: Which keys are the core's.
        """
        name = part.get(model.plugin_key, model.model_fields[model.plugin_key].default)
        if not isinstance(name, str) or not name:
            return None
        try:
            cls = self._plugins.load(kind, name)
        except PluginError as error:
            told = str(error)
            if isinstance(name, Referenced):
                told = f"expected the name of a usable {kind.noun}, got {name.description}"
            self.problems.append((place, told))
            return None
        own = model.plugin_part(part)
        settings = self._check_own(where, own, cls.Settings, model.core_keys())
        self._shown[where] = hidden(own, cls.Settings)
        if settings is not None and self._is_making:
            self._try_to_make(place, self._plugins.find(kind, name), cls, settings)
        return cls

    def _try_to_make(
        self, place: Location, plugin: Plugin, cls: type[Any], settings: BaseModel
    ) -> None:
        is_told = plugin.kind in (Kind.INGRESS, Kind.STATES)
        arguments = {"simulation": self._simulation} if is_told else {}
        try:
            make(plugin, cls, settings, **arguments)
        except PluginError as error:
            conceal = Concealer()
            conceal.learn(settings)
            self.problems.append((place, conceal(str(error))))

    def _check_own(
        self,
        where: Location,
        own: Mapping[str, Any],
        model: type[BaseModel],
        core_keys: list[str],
    ) -> BaseModel | None:
        """Check a plugin's own part against its model; what it says, if that is in order."""
        found: list[tuple[Location, str]] = []
        settings: BaseModel | None = None
        try:
            settings = model.model_validate(own)
        except ValidationError as error:
            found = explain(error, model, own, other_keys=core_keys)
        except Exception as error:
            # The boundary to the plugin. What it says may have a secret in it.
            found = [((), f"the plugin's own check failed with {type(error).__name__}")]
        found += _masked(own)
        if model.model_config.get("extra") in (None, "ignore"):
            known = keys_of(model)
            unknown = [key for key in own if key not in {*known, *model.model_fields}]
            found += [((key,), unknown_key(key, [*known, *core_keys])) for key in unknown]
        self.problems += [((*where, *inner), message) for inner, message in found]
        return None if found else settings


def _masked(own: Mapping[str, Any]) -> list[tuple[Location, str]]:
    return [
        ((key,), "was hidden when these settings were stored: it has to be given again")
        for key, value in own.items()
        if value == HIDDEN
    ]
