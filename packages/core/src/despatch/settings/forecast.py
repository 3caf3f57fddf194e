"""The settings of a forecast: how far it looks ahead, what it watches, and what if."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from despatch.durations import PositiveDuration
from despatch.mistakes import mistake
from despatch.renderings import excerpt
from despatch.selection import Selection
from despatch.settings.entries import EgressSettings, doubles, named
from despatch.settings.references import plain
from despatch.settings.types import Count, Number, Part

__all__ = [
    "BASE",
    "RESOURCE_FIGURES",
    "ForecastSettings",
    "PrecisionSettings",
    "ResourceFigure",
    "WatchSettings",
    "share_of",
]

BASE: Final = "base"
"""The scenario in which nothing is otherwise."""

ResourceFigure: TypeAlias = Literal[
    "in_service",
    "queue_length",
    "in_system",
    "level",
    "items",
    "puts.queue_length",
    "gets.queue_length",
    "capacity",
    "utilization",
    "mean_users",
    "preempted",
    "mean_queue",
    "max_queue",
    "served",
    "withdrawn",
    "mean_wait",
    "max_wait",
    "wait_p50",
    "wait_p95",
    "wait_p99",
    "mean_level",
    "puts.mean_queue",
    "puts.max_queue",
    "puts.served",
    "puts.withdrawn",
    "puts.mean_wait",
    "puts.max_wait",
    "puts.wait_p50",
    "puts.wait_p95",
    "puts.wait_p99",
    "gets.mean_queue",
    "gets.max_queue",
    "gets.served",
    "gets.withdrawn",
    "gets.mean_wait",
    "gets.max_wait",
    "gets.wait_p50",
    "gets.wait_p95",
    "gets.wait_p99",
]
"""What can be watched of a resource, a container or a store."""

RESOURCE_FIGURES: Final[tuple[str, ...]] = get_args(ResourceFigure)

_Path: TypeAlias = Annotated[str, Field(min_length=1)]
_Share: TypeAlias = Annotated[Number, Field(gt=0, lt=1)]
_PERCENT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*", re.ASCII)
_KINDS: Final = ("telemetry", "resource", "count", "parameter")


def share_of(target: float | str) -> float | None:
    """What share of the mean a target is, ``"5%"`` being 0.05; None for one that is a number."""
    if not isinstance(target, str):
        return None
    match = _PERCENT.fullmatch(target)
    assert match is not None  # else the settings would have refused it
    return float(match[1]) / 100


def _target(value: Any) -> float | str:
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        if 0 < float(match[1]) < 100:
            return value.strip()
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if 0 < number < float("inf"):
            return number
    raise mistake("a half width of more than 0, such as 0.5, or a share of the mean, such as 5%")


_Target: TypeAlias = Annotated[
    float | str,
    PlainValidator(_target),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%?\s*$"},
            ]
        }
    ),
]


class WatchSettings(Part):
    """A figure that a forecast watches.

    There is one of `telemetry`, `resource`, `count` and `parameter`.

    Attributes:
        telemetry: The path of a telemetry; the figure is its last value that is a number.
        initial: What a telemetry is until it is first published. Without it, it has to be
            published in the first replication.
        resource: The name of a resource, a container or a store.
        figure: What of the resource.
        count: Which events to count, from the beginning on.
        parameter: The path of a parameter in the registry that is a number.
        name: What the figure is called; by default its path, or the type of the events.
        unit: What it is measured in, for tables and pictures.
        above: The limit that it ought not to exceed.
        below: The limit that it ought not to fall below.
    """

    telemetry: _Path | None = None
    initial: Number | None = None
    resource: _Path | None = None
    figure: ResourceFigure | None = None
    count: Selection | None = None
    parameter: _Path | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    unit: str | None = None
    above: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise mistake(f"one of {', '.join(_KINDS)}")
        if (self.figure is None) is not (self.resource is None):
            raise mistake("`resource` and `figure` together, such as queue_length")
        if self.initial is not None and self.telemetry is None:
            raise mistake("`initial` for a telemetry only")
        if self.count is not None and not self.count.may_select("event"):
            raise mistake("`count` to select events: there are none among what it selects")
        return self

    @property
    def called(self) -> str:
        """What the figure is called."""
        if self.name:
            return self.name
        if self.resource is not None:
            return f"{self.resource}.{self.figure}"
        if self.count is not None:
            return self.count.type or self.count.key or "events"
        return self.telemetry or self.parameter or ""


class PrecisionSettings(Part):
    """How exact a forecast is to be at its horizon, in every scenario.

    Attributes:
        mean: Half the width of the confidence interval of the mean: of every watched figure, or of
            those that are named here.
        probability: Half the width of the interval of every probability of crossing a limit.
        at_least: How many replications there are before anybody looks.
    """

    mean: _Target | dict[str, _Target] | None = None
    probability: _Share | None = None
    at_least: Annotated[Count, Field(ge=2)] = 30

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.mean and self.probability is None:
            raise mistake("`mean` or `probability`")
        return self


def _precision(value: Any) -> Any:
    return {"mean": value} if isinstance(value, int | float | str) else value


def _in_order(value: list[float]) -> list[float]:
    if sorted(set(value)) != value:
        raise mistake("quantiles in growing order, each once")
    return value


class ForecastSettings(Part):
    """A forecast by many replications of the model.

    Attributes:
        horizon: How far it looks ahead, in simulated time; None is `clock.until`.
        every: The distance of the grid points at which figures are looked at, in simulated time;
            None is a 32nd part of the horizon.
        replications: How many; the most there are, where there is a `precision`.
        watch: The figures that it watches; their names differ.
        quantiles: Which quantiles it reports of each figure.
        confidence: Of all intervals.
        precision: When fewer replications are enough: a target for the mean of all figures, such as
            ``5%``, or more than that; None performs all.
        what_if: Scenarios, by name: path to value, of what is otherwise from the beginning on. Each
            is compared with the base, by the same seeds.
        egress: The sinks that the forecast's own records go to.
    """

    horizon: PositiveDuration | None = None
    every: PositiveDuration | None = None
    replications: Annotated[Count, Field(ge=2)] = 200
    watch: list[WatchSettings] = Field(default_factory=list)
    quantiles: Annotated[list[_Share], Field(min_length=1), AfterValidator(_in_order)] = Field(
        default_factory=lambda: [0.05, 0.25, 0.5, 0.75, 0.95]
    )
    confidence: _Share = 0.95
    precision: Annotated[PrecisionSettings | None, BeforeValidator(_precision)] = None
    what_if: Annotated[dict[str, dict[str, Any]], AfterValidator(plain)] = Field(
        default_factory=dict
    )
    egress: list[EgressSettings] = Field(default_factory=list)

    @field_validator("watch", mode="after")
    @classmethod
    def _are_told_apart(cls, watch: list[WatchSettings]) -> list[WatchSettings]:
        for i, first in doubles([each.called for each in watch]):
            called = excerpt(watch[i].called)
            raise mistake(f"another `name` for [{i}] than that of [{first}], which is {called}")
        return watch

    @field_validator("what_if", mode="after")
    @classmethod
    def _are_something(cls, what_if: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, changes in what_if.items():
            if not name or name == BASE:
                raise mistake(f"another name for a scenario than {excerpt(name)}")
            if not changes:
                raise mistake(f"something that is otherwise in scenario {excerpt(name)}")
        return what_if

    @field_validator("egress", mode="before")
    @classmethod
    def _name_entries(cls, value: Any) -> Any:
        return named(value) if isinstance(value, Sequence) and not isinstance(value, str) else value

    @model_validator(mode="after")
    def _precision_is_of_what_is_watched(self) -> Self:
        # Figures may be given later, as an argument.
        if self.watch and (fault := self.fault_of_precision()) is not None:
            raise mistake(fault.removeprefix("expected "))
        return self

    def fault_of_precision(self) -> str | None:
        """What is wrong with a precision of a figure that is not watched; None for nothing."""
        if self.precision is None or not isinstance(self.precision.mean, dict):
            return None
        known = [each.called for each in self.watch]
        for name in self.precision.mean:
            if name not in known:
                return (
                    f"expected `precision.mean` to name watched figures, which are "
                    f"{', '.join(known)}, not {excerpt(name)}"
                )
        return None
