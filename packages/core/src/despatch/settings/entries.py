"""The entries of settings: sources of commands, sinks for records, and what else names a plugin.

An entry is one mapping. Some of its keys are the core's, such as ``batch``; all others are the
plugin's own, which the core hands on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import to_jsonable_python

from despatch.durations import Duration, PositiveDuration
from despatch.interfaces import EgressConnector, IngressConnector
from despatch.mistakes import mistake
from despatch.selection import Selection
from despatch.settings.references import HIDDEN, SECRETS, plain
from despatch.settings.types import Bytes, Count, Name, Part

__all__ = [
    "REVEAL",
    "BatchSettings",
    "EgressSettings",
    "ExecutorSettings",
    "IngressSettings",
    "PluginPart",
    "RetrySettings",
    "SerializerSettings",
    "StateSettings",
    "by_name",
    "doubles",
    "named",
]

REVEAL: Final = "reveal"
"""In the context of a serialization: true gives secrets away."""


class BatchSettings(Part):
    """When a batch is cut: when the first of these is reached, or at the end.

    Attributes:
        records: At most so many records.
        bytes: At most so many bytes in the journal; a larger record is a batch by itself.
        interval: At the latest after so much wall time.
    """

    records: Count = 5000
    bytes: Bytes = ByteSize(4 * 1024 * 1024)
    interval: Duration = timedelta(seconds=1)


class RetrySettings(Part):
    """How a failed batch is tried again: after a growing, random time.

    Attributes:
        initial: The bound of the first wait, in wall time.
        maximum: The largest bound.
        attempts: After how many failures in a row, to open or to deliver, the sink is stopped. What
            it has not confirmed stays owed, none of it goes to the dead letters. None never stops.
        duration: After how long without success, in wall time, the next failure stops the sink in
            the same way. None never stops.
    """

    initial: PositiveDuration = timedelta(milliseconds=100)
    maximum: PositiveDuration = timedelta(seconds=30)
    attempts: Count | None = None
    duration: PositiveDuration | None = None

    @model_validator(mode="after")
    def _maximum_is_not_less(self) -> Self:
        if self.maximum < self.initial:
            raise mistake("`maximum` to be no shorter than `initial`")
        return self


class PluginPart(Part):
    """A mapping of which some keys are the core's, and all others the plugin's own.

    Attributes:
        plugin_key: The key that names the plugin.
        plugin_settings: The plugin's own part, as it was written, with references resolved.
    """

    plugin_key: ClassVar[str]
    plugin_settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    _shown: dict[str, Any] | None = PrivateAttr(None)

    @classmethod
    def core_keys(cls) -> list[str]:
        """The keys that are the core's."""
        return [name for name in cls.model_fields if name != "plugin_settings"]

    @classmethod
    def plugin_part(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """What of a mapping is the plugin's."""
        core = cls.core_keys()
        return {key: value for key, value in data.items() if key not in core}

    def show(self, shown: Mapping[str, Any]) -> None:
        """Set what `repr` and `model_dump` show of the plugin's part; else it is all hidden."""
        self._shown = dict(shown)

    @property
    def shown(self) -> dict[str, Any]:
        """The plugin's part, with its secrets hidden."""
        if self._shown is None:
            return dict.fromkeys(self.plugin_settings, HIDDEN)
        return self._shown

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        part = cls.plugin_part(data)
        core = {key: value for key, value in data.items() if key not in part}
        return {**core, "plugin_settings": part}

    @model_serializer(mode="wrap")
    def _join(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        core: dict[str, Any] = handler(self)
        core.pop("plugin_settings", None)
        is_revealed = info.context is not None and info.context.get(REVEAL) is True
        part = _revealed(self.plugin_settings) if is_revealed else self.shown
        return {**core, **(to_jsonable_python(part) if info.mode == "json" else part)}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield from super().__repr_args__()
        yield from self.shown.items()


class SerializerSettings(PluginPart):
    """The serializer of a sink or a source.

    Attributes:
        name: Which serializer.
    """

    plugin_key = "name"
    name: str = "json"


class ExecutorSettings(PluginPart):
    """Where the replications of a model are performed.

    Attributes:
        name: Which executor.
    """

    plugin_key = "name"
    name: str = "local"


class StateSettings(PluginPart):
    """Where the present state of the real system is read before a run.

    Attributes:
        source: Which state source.
        timeout: How long it may take, in wall time, from its opening to its closing.
    """

    plugin_key = "source"
    source: Annotated[str, Field(min_length=1)]
    timeout: PositiveDuration = timedelta(seconds=30)


def by_name(value: Any) -> Any:
    """A part of which only the plugin's name is given, as the mapping that it stands for."""
    return {"name": value} if isinstance(value, str) else value


def _ingress_connector(value: Any) -> str | IngressConnector:
    if (isinstance(value, str) and value) or isinstance(value, IngressConnector):
        return value
    raise mistake("the name of an ingress connector")


def _egress_connector(value: Any) -> str | EgressConnector:
    if (isinstance(value, str) and value) or isinstance(value, EgressConnector):
        return value
    raise mistake("the name of an egress connector")


def _connector_name(value: str | IngressConnector | EgressConnector) -> str:
    return str(value) if isinstance(value, str) else f"live:{type(value).__name__}"


RESERVED_SOURCES: Final = ("model", "resume", "settings", "state")
"""What outcomes say their source is where no ingress brought the command."""


def _name_of_source(value: str) -> str:
    if value in RESERVED_SOURCES:
        raise mistake(f"another name than {', '.join(RESERVED_SOURCES)}, which are taken")
    return value


class _Entry(PluginPart):
    plugin_key = "connector"

    @model_validator(mode="before")
    @classmethod
    def _name_after_connector(cls, data: Any) -> Any:
        return _with_name(data, set()) if isinstance(data, Mapping) else data


class IngressSettings(_Entry):
    """A source of commands.

    Attributes:
        connector: The name of an ingress connector, or a live one (thread host only).
        name: What the source is called; by default as its connector.
        allow: Globs for the paths that it may write; None allows all.
        serializer: What decodes its messages; None reads them as JSON.
    """

    connector: Annotated[
        str | IngressConnector, PlainValidator(_ingress_connector), PlainSerializer(_connector_name)
    ]
    name: Annotated[Name, AfterValidator(_name_of_source)] = ""
    allow: list[str] | None = None
    serializer: Annotated[SerializerSettings | None, BeforeValidator(by_name)] = None


class EgressSettings(_Entry):
    """A sink for records.

    Attributes:
        connector: The name of an egress connector, or a live one (thread host only).
        name: What the sink is called; by default as its connector.
        select: Which records it is given; None is all.
        batch: When a batch is cut.
        retry: How a failed batch is tried again.
        timeout: How long the connector may take to open and to deliver a batch, in wall time.
        serializer: What encodes the records; of no account where the connector uses none.
    """

    connector: Annotated[
        str | EgressConnector, PlainValidator(_egress_connector), PlainSerializer(_connector_name)
    ]
    name: Name = ""
    select: Selection | None = None
    batch: BatchSettings = BatchSettings()
    retry: RetrySettings = RetrySettings()
    timeout: PositiveDuration = timedelta(seconds=30)
    serializer: Annotated[SerializerSettings, BeforeValidator(by_name)] = SerializerSettings()


def named(entries: Sequence[Any]) -> list[Any]:
    """Name entries that have no name after their connector: ``jsonl``, ``jsonl-2``.

    Args:
        entries: Mappings, perhaps malformed, or entries that are made already: both are left as
            they are.
    """
    taken = {name for name in map(_name_of, entries) if isinstance(name, str)}
    return [_with_name(each, taken) if isinstance(each, Mapping) else each for each in entries]


def doubles(names: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Which of these came before: its index, and the index of the first like it."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if isinstance(name, str) and first.setdefault(name, i) != i:
            yield i, first[name]


def _name_of(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, Mapping) else getattr(entry, "name", None)


def _with_name(entry: Mapping[str, Any], taken: set[str]) -> Mapping[str, Any]:
    connector = entry.get("connector")
    if "name" in entry or connector is None:
        return entry
    base = connector if isinstance(connector, str) else type(connector).__name__.lower()
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}-{count}"
    taken.add(name)
    return {**entry, "name": name}


def _revealed(value: Any) -> Any:
    if isinstance(value, SECRETS):
        return _revealed(value.get_secret_value())
    if isinstance(value, Mapping):
        return {str(key): _revealed(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_revealed(each) for each in value]
    return to_jsonable_python(plain(value))
