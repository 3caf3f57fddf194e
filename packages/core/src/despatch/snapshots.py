"""Snapshot: the state of a real system at an instant, as a model takes it in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from despatch.mistakes import mistake
from despatch.renderings import counted, excerpt

__all__ = [
    "SNAPSHOT_VERSION",
    "ContainerState",
    "InService",
    "ResourceState",
    "Snapshot",
    "StoreState",
    "Waiting",
]

SNAPSHOT_VERSION: Final = 1
"""The version of the document's form."""

_DEEPEST: Final = 16


def _is_plain(value: Any) -> Any:
    for place, expected in _faults(value, "it", _DEEPEST):
        raise mistake(f"{expected} at {place}")
    return value


_Plain: TypeAlias = Annotated[Any, AfterValidator(_is_plain)]
_PlainObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_is_plain)]
_Duration: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InService(_Part):
    """Somebody or something that a resource is serving.

    Attributes:
        key: Whom it serves, as the model's records call it.
        elapsed: How long it has been served; None where that is not known.
        remaining: How much longer it will be; None where that is not known, and is drawn from what
            has elapsed. One of the two is there; where both are, this one counts.
        priority: A smaller number is more important.
        data: What else the model wants to know of it, plain data.
    """

    key: str = Field(description="Whom it serves, as the model's records call it.")
    elapsed: _Duration | None = Field(
        default=None, description="How long it has been served, in simulated seconds."
    )
    remaining: _Duration | None = Field(
        default=None, description="How much longer it will be, in simulated seconds."
    )
    priority: int = Field(default=0, description="A smaller number is more important.")
    data: _PlainObject = Field(
        default_factory=dict, description="What else the model wants to know, plain data."
    )

    @model_validator(mode="after")
    def _says_how_long(self) -> Self:
        if self.elapsed is None and self.remaining is None:
            raise mistake(f"`elapsed` or `remaining` for {excerpt(self.key)}")
        return self


class Waiting(_Part):
    """Somebody or something that waits for a resource.

    Attributes:
        key: Who waits, as the model's records call it.
        joined: When it joined the queue, with an offset from UTC; None where that is not known.
        priority: A smaller number is more important.
        data: What else the model wants to know of it, plain data.
    """

    key: str = Field(description="Who waits, as the model's records call it.")
    joined: AwareDatetime | None = Field(
        default=None, description="When it joined the queue, with an offset from UTC."
    )
    priority: int = Field(default=0, description="A smaller number is more important.")
    data: _PlainObject = Field(
        default_factory=dict, description="What else the model wants to know, plain data."
    )


class ResourceState(_Part):
    """What a resource is doing.

    Attributes:
        in_service: Whom it serves, in the order of admission.
        queue: Who waits, the next one first.
        down_since: Since when it has been down, with an offset from UTC; None where it is not.
        over_capacity: Whether it may serve more than its capacity, as after shrinking. Otherwise
            that is taken for a mistake.
    """

    in_service: list[InService] = Field(
        default_factory=list, description="Whom it serves, in the order of admission."
    )
    queue: list[Waiting] = Field(default_factory=list, description="Who waits, the next one first.")
    down_since: AwareDatetime | None = Field(
        default=None, description="Since when it has been down, with an offset from UTC."
    )
    over_capacity: bool = Field(
        default=False, description="Whether it may serve more than its capacity."
    )


class ContainerState(_Part):
    """What a container holds.

    Attributes:
        level: How much matter is in it.
        over_capacity: Whether that may be more than its capacity, as after shrinking.
    """

    level: _Duration = Field(description="How much matter is in it.")
    over_capacity: bool = Field(
        default=False, description="Whether that may be more than its capacity."
    )


class StoreState(_Part):
    """What a store holds.

    Attributes:
        items: What is in it, in the order of taking out: plain data, which the model makes into
            its own items.
        over_capacity: Whether these may be more than its capacity, as after shrinking.
    """

    items: list[_Plain] = Field(
        default_factory=list, description="What is in it, in the order of taking out, plain data."
    )
    over_capacity: bool = Field(
        default=False, description="Whether these may be more than its capacity."
    )


class Snapshot(_Part):
    """What a real system is like at an instant.

    It is a document: `model_validate_json` reads it, and what it does not know it refuses. Whether
    it fits the model is told when the model takes it in, before anything runs.

        >>> Snapshot.model_validate_json(
        ...     '{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Line_A.lathe.capacity": 2}}'
        ... ).parameters
        {'Line_A.lathe.capacity': 2}

    Raises:
        ValidationError: Something is missing or unknown, a time has no offset or is later than
            `taken_at`, a duration is negative, or a value is not plain data: None, bool, int,
            finite float, str without lone surrogates, and list or dict of these with text keys,
            at most 16 levels deep.

    Attributes:
        version: The version of the document's form.
        taken_at: When the system was in this state, with an offset from UTC.
        calendar_offset: Which simulated time that is, in simulated seconds, for a model with
            shifts or seasons of its own; None leaves it to whoever runs the model.
        parameters: Dotted path in the registry to the value that the real system has there.
        resources: What each resource is doing, by its name.
        containers: What each container holds, by its name.
        stores: What each store holds, by its name.
        arrivals: When somebody came last, by the name that the model gives to those who come.
    """

    version: Literal[1] = Field(
        default=SNAPSHOT_VERSION, description="The version of the document's form."
    )
    taken_at: AwareDatetime = Field(
        description="When the system was in this state, with an offset from UTC."
    )
    calendar_offset: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Which simulated time that is, in simulated seconds.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Dotted path in the registry to the value that the real system has there.",
    )
    resources: dict[str, ResourceState] = Field(
        default_factory=dict, description="What each resource is doing, by its name."
    )
    containers: dict[str, ContainerState] = Field(
        default_factory=dict, description="What each container holds, by its name."
    )
    stores: dict[str, StoreState] = Field(
        default_factory=dict, description="What each store holds, by its name."
    )
    arrivals: dict[str, AwareDatetime] = Field(
        default_factory=dict,
        description="When somebody came last, by the name that the model gives to those who come.",
    )

    @property
    def has_work(self) -> bool:
        """Whether it says more than parameters, so that the model itself has to take it in."""
        return bool(self.resources or self.containers or self.stores or self.arrivals)

    @property
    def contents(self) -> str:
        """What is in it, in words: ``2 parameters, 1 in service, 3 waiting``."""
        resources = self.resources.values()
        counts = {
            "in service": sum(len(each.in_service) for each in resources),
            "waiting": sum(len(each.queue) for each in resources),
            "down": sum(each.down_since is not None for each in resources),
        }
        told = [counted(len(self.parameters), "parameter")]
        told += [f"{count:,} {what}" for what, count in counts.items() if count]
        told += [
            counted(len(part), noun)
            for noun, part in (("container", self.containers), ("store", self.stores))
            if part
        ]
        return ", ".join(told)

    @field_validator("parameters", mode="after")
    @classmethod
    def _are_plain(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for path, value in parameters.items():
            if not _is_encodable(path):
                raise mistake(f"paths without lone surrogates, not {excerpt(path)}")
            for place, expected in _faults(value, path, _DEEPEST):
                raise mistake(f"{expected} at {place}")
        return parameters

    @model_validator(mode="after")
    def _has_no_future(self) -> Self:
        for place, moment in self._moments():
            if moment is not None and moment > self.taken_at:
                raise mistake(
                    f"a time not later than `taken_at` at {place}, not {moment.isoformat()}"
                )
        return self

    def _moments(self) -> Iterator[tuple[str, datetime | None]]:
        for name, resource in self.resources.items():
            yield f"resources.{name}.down_since", resource.down_since
            for i, each in enumerate(resource.queue):
                yield f"resources.{name}.queue[{i}].joined", each.joined
        for name, moment in self.arrivals.items():
            yield f"arrivals.{name}", moment


def _faults(value: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    """Where something is no plain data, and what was expected there."""
    if depth == 0:
        yield place, f"at most {_DEEPEST} levels"
    elif isinstance(value, dict):
        for key, each in value.items():
            if not (isinstance(key, str) and _is_encodable(key)):
                yield place, f"text as keys, not {excerpt(key)},"
            yield from _faults(each, f"{place}.{key}", depth - 1)
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _faults(each, f"{place}[{i}]", depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield place, f"a finite number, not {value},"
    elif isinstance(value, str):
        if not _is_encodable(value):
            yield place, f"text without lone surrogates, not {excerpt(value)},"
    elif not (value is None or isinstance(value, int)):
        yield place, f"plain data, not a {type(value).__name__},"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
