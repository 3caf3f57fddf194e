"""Ingress from the settings: a list of commands, each for its simulated time.

ingress:
  - connector: schedule
    commands:
      - {at: 10s, path: Line_A.lathe.capacity, value: 3}
      - {at: 20, updates: {Line_A.lathe.capacity: 2, Line_A.lathe.milling.mean: 4.5}}
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from despatch.commands import Command, Outcome
from despatch.durations import Duration, parse_duration
from despatch.interfaces.ingress import CaughtUp, IngressConnector

__all__ = ["ScheduleIngress", "ScheduleSettings", "ScheduledCommand"]


def _simulated_seconds(value: Any) -> Any:
    # A number stays what it is: a duration knows microseconds only, simulated time any float.
    return parse_duration(value).total_seconds() if isinstance(value, str) else value


class ScheduledCommand(BaseModel):
    """One command: `path` and `value`, or `updates` for several paths at one instant.

    Attributes:
        at: Simulated time, as a duration such as ``10s`` or in simulated seconds.
        path: The parameter to change.
        value: Its new value.
        updates: Path to new value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Annotated[
        float,
        BeforeValidator(_simulated_seconds, json_schema_input_type=Duration),
        Field(ge=0, allow_inf_nan=False, strict=True),
    ]
    path: str | None = None
    value: Any = None
    updates: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _in_one_form(self) -> ScheduledCommand:
        given = self.model_fields_set - {"at"}
        if given not in ({"path", "value"}, {"updates"}) or not (self.path or self.updates):
            raise ValueError(
                "expected either path and value, or updates: {path: value}; "
                f"got {', '.join(sorted(given)) or 'neither'}"
            )
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """Path to new value, in either form."""
        if self.path is not None:
            return {self.path: self.value}
        return dict(self.updates or {})


class ScheduleSettings(BaseModel):
    """The settings of a schedule.

    Attributes:
        commands: The commands; those for one instant are applied in this order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commands: tuple[ScheduledCommand, ...]


class ScheduleIngress(IngressConnector):
    """Brings the commands of the settings, all at once and with their times, and ends.

    A command's id is ``schedule-<index>``, so that a run that is resumed, or whose courier was
    started again, applies each of them once.
    """

    Settings: ClassVar[type[BaseModel]] = ScheduleSettings
    brings_backlog: ClassVar[bool] = True
    uses_serializer: ClassVar[bool] = False

    settings: ScheduleSettings

    async def open(self) -> None:
        """Do nothing: the commands are in the settings."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring the commands in the settings' order."""
        for index, command in enumerate(self.settings.commands):
            yield Command(updates=command.changes, at=command.at, id=f"schedule-{index}")

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Do nothing: settings remember nothing, and the ids keep a repetition from counting."""

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
