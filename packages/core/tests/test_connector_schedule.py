from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from despatch.commands import Change, Command
from despatch.connectors.schedule import ScheduleIngress, ScheduleSettings


def schedule(*commands: dict[str, Any]) -> ScheduleIngress:
    settings = ScheduleSettings.model_validate({"commands": commands})
    return ScheduleIngress(settings, simulation="line_a")


async def bring(ingress: ScheduleIngress) -> list[Command]:
    await ingress.open()
    brought = [item async for item in ingress.commands() if isinstance(item, Command)]
    await ingress.close()
    return brought


def test_commands_come_in_order_with_their_times_and_ids_and_then_it_ends() -> None:
    ingress = schedule(
        {"at": "20s", "path": "a.b", "value": 3},
        {"at": 10, "updates": {"a.b": 2, "a.c": 1.5}},
    )
    assert asyncio.run(bring(ingress)) == [
        Command(updates={"a.b": 3}, at=20.0, id="schedule-0"),
        Command(updates={"a.b": 2, "a.c": 1.5}, at=10.0, id="schedule-1"),
    ]


def test_a_second_start_brings_the_same_ids() -> None:
    ingress = schedule({"at": 0, "path": "a.b", "value": 3})
    assert asyncio.run(bring(ingress)) == asyncio.run(bring(ingress))


def test_it_is_waited_for_before_the_clock_starts() -> None:
    assert ScheduleIngress.brings_backlog


@pytest.mark.parametrize(
    ("at", "seconds"),
    [("10s", 10.0), ("1h30m", 5400.0), ("2.5", 2.5), (0, 0.0), (0.1234567890123, 0.1234567890123)],
)
def test_times_are_durations_or_simulated_seconds(at: Any, seconds: float) -> None:
    (command,) = asyncio.run(bring(schedule({"at": at, "path": "a", "value": 1})))
    assert command.at == seconds


@pytest.mark.parametrize("at", ["soon", -1, float("nan"), float("inf"), True, None, [1]])
def test_what_is_no_time_is_refused(at: Any) -> None:
    with pytest.raises(ValidationError):
        schedule({"at": at, "path": "a", "value": 1})


@pytest.mark.parametrize(
    "command",
    [
        {"at": 1},
        {"at": 1, "path": "a"},
        {"at": 1, "value": 3},
        {"at": 1, "path": "", "value": 3},
        {"at": 1, "updates": {}},
        {"at": 1, "path": "a", "value": 3, "updates": {"b": 1}},
    ],
)
def test_a_command_has_one_of_the_two_forms(command: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="path and value, or updates"):
        schedule(command)


def test_every_mistake_is_reported_at_its_place() -> None:
    good = {"at": 1, "path": "a", "value": 1}
    with pytest.raises(ValidationError) as caught:
        schedule({**good, "at": "soon"}, good, {**good, "pth": 1})
    assert [error["loc"][:2] for error in caught.value.errors()] == [
        ("commands", 0),
        ("commands", 2),
    ]


def test_a_value_may_be_anything_that_settings_can_say() -> None:
    value = {"family": "normal", "mean": 3.0, "std": None}
    (command,) = asyncio.run(bring(schedule({"at": 1, "path": "a", "value": value})))
    assert command.updates == {"a": value}


def test_acknowledging_asks_nothing_of_anyone() -> None:
    ingress = schedule({"at": 1, "path": "a", "value": 1})
    outcome = Change(updates=(), sim_time=1.0, source="schedule")
    asyncio.run(ingress.acknowledge(Command(), outcome))
