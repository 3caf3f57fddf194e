"""Figures: what a forecast watches, as data that a worker can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from despatch.settings.forecast import WatchSettings

__all__ = ["Figure"]


class Figure(msgspec.Struct, kw_only=True, frozen=True):
    """A figure that a forecast watches.

    Attributes:
        name: What it is called.
        kind: What it is of.
        of: The path of the telemetry or the parameter, or the name of the resource.
        figure: What of the resource.
        select: Which events are counted, as a selection says it.
        initial: What a telemetry is until it is first published; None is nothing.
        unit: What it is measured in.
        above: The limit that it ought not to exceed.
        below: The limit that it ought not to fall below.
    """

    name: str
    kind: Literal["telemetry", "resource", "count", "parameter"]
    of: str = ""
    figure: str | None = None
    select: dict[str, Any] | None = None
    initial: float | None = None
    unit: str | None = None
    above: float | None = None
    below: float | None = None

    @classmethod
    def watched(cls, watch: WatchSettings) -> Figure:
        """The figure that settings watch."""
        kind: Literal["telemetry", "resource", "count", "parameter"]
        select = None
        if watch.count is not None:
            kind, of = "count", ""
            select = watch.count.model_dump(exclude_defaults=True)
        elif watch.resource is not None:
            kind, of = "resource", watch.resource
        elif watch.telemetry is not None:
            kind, of = "telemetry", watch.telemetry
        else:
            kind, of = "parameter", watch.parameter or ""
        return cls(
            name=watch.called,
            kind=kind,
            of=of,
            figure=watch.figure,
            select=select,
            initial=watch.initial,
            unit=watch.unit,
            above=watch.above,
            below=watch.below,
        )

    @property
    def limits(self) -> dict[Literal["above", "below"], float]:
        """The limits that it has."""
        found: dict[Literal["above", "below"], float] = {}
        if self.above is not None:
            found["above"] = self.above
        if self.below is not None:
            found["below"] = self.below
        return found
