from __future__ import annotations

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from despatch.commands import Command
from despatch.registry.agenda import Agenda

TIMES = st.floats(0, 1e12)


def test_commands_are_carried_out_at_their_times_and_wait_until_then() -> None:
    env, done = simpy.Environment(), []
    agenda = Agenda(env, lambda command: done.append((command.id, env.now)))
    for name, at in (("late", 7.5), ("early", 2.0), ("later", 7.5)):
        agenda.add(Command(id=name), at)
    assert [(each.id, each.at) for each in agenda.pending()] == [
        ("early", 2.0), ("late", 7.5), ("later", 7.5),
    ]  # fmt: skip
    env.run(until=5)
    assert [each.id for each in agenda.pending()] == ["late", "later"]
    env.run()
    assert done == [("early", 2.0), ("late", 7.5), ("later", 7.5)]
    assert agenda.pending() == ()


@given(TIMES, TIMES)
def test_a_command_comes_at_its_time_to_the_last_digit(first, second) -> None:
    now, at = sorted([first, second])
    env, done = simpy.Environment(now), []
    if now < at:
        Agenda(env, lambda command: done.append(env.now)).add(Command(), at)
        env.run()
        assert done == [at]


@pytest.mark.parametrize("now", [-5, -1e9, 3])
def test_a_clock_may_begin_anywhere(now) -> None:
    env, done = simpy.Environment(now), []
    Agenda(env, lambda command: done.append(env.now)).add(Command(), 7.25)
    env.run()
    assert done == [7.25]


def test_a_command_comes_before_all_that_is_planned_for_its_instant() -> None:
    # 0.1 + (0.3 - 0.1) is less than 0.3 in floating point, 0.7 + (1.9 - 0.7) is more.
    for now, at in ((0.1, 0.3), (0.7, 1.9)):
        env, order = simpy.Environment(), []

        def plan(env=env, order=order, at=at):
            yield env.timeout(at)
            order.append("planned")

        env.process(plan())
        env.run(until=now)
        Agenda(env, lambda command, order=order: order.append("command")).add(Command(), at)
        env.run()
        assert order == ["command", "planned"]


def test_what_becomes_of_a_commands_mappings_afterwards_changes_nothing() -> None:
    env, done = simpy.Environment(), []
    updates, expect = {"A.b": 1}, {"A.c": 2}
    Agenda(env, done.append).add(Command(updates=updates, expect=expect, handle="mine"), 3.0)
    updates["A.b"] = expect["A.c"] = 9
    env.run()
    assert done == [Command(updates={"A.b": 1}, expect={"A.c": 2}, at=3.0)]
