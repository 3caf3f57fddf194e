"""Figures by hand, for each kind of resource. `test_observed` holds them against brute force."""

from __future__ import annotations

import math

import pytest
import simpy
from pydantic import Field

from despatch.environment import DynamicEnvironment
from despatch.parameters import SimParameter
from despatch.resources import (
    DynamicContainer,
    DynamicFilterStore,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
    StockStatistics,
    UseStatistics,
)


class Desk(SimParameter):
    staff: int = Field(1, ge=0)
    room: float = Field(10, ge=0)


def watched(env):
    """An environment whose steps somebody watches: all goes SimPy's way."""
    step = env.step
    env.step = lambda: step()
    return env


@pytest.fixture(params=["fast", "watched"])
def env(request):
    env = DynamicEnvironment(statistics=True)
    env.registry.register("Desk", Desk())
    return watched(env) if request.param == "watched" else env


def customer(env, resource, at, stay, patience=math.inf, **options):
    """Comes at a time, and stays so long, or leaves when it has waited too long."""

    def life():
        yield env.timeout(at)
        with resource.request(**options) as turn:
            given_up = env.event() if patience == math.inf else env.timeout(patience)
            got = yield turn | given_up
            if turn in got:
                try:
                    yield env.timeout(stay)
                except simpy.Interrupt:
                    return

    env.process(life())


def test_use_queue_and_waits_are_as_by_hand(env):
    desk = DynamicResource(env, 2)
    for at in (0, 1, 2, 3):
        customer(env, desk, at, 4)
    env.run(until=10)
    # Served 0-4, 1-5, 4-8 (came at 2) and 5-9 (came at 3).
    figures = desk.statistics
    assert isinstance(figures, UseStatistics)
    assert figures.duration == 10
    assert figures.mean_users == pytest.approx(16 / 10)
    assert figures.utilization == pytest.approx(16 / 20)
    assert figures.mean_queue == pytest.approx(4 / 10)
    assert (figures.max_queue, figures.served, figures.withdrawn) == (2, 4, 0)
    assert (figures.mean_wait, figures.max_wait) == (1.0, 2.0)
    assert figures.wait_quantile(0.5) == 0
    assert figures.wait_quantile(0.75) == pytest.approx(2, rel=0.01)
    assert figures.wait_quantile(1) == pytest.approx(2, rel=0.01)
    assert figures.preempted == 0


def test_figures_are_there_at_any_instant(env):
    desk = DynamicResource(env, 1)
    customer(env, desk, 1, 2)
    seen = []
    for until in (0.5, 2, 4, 8):
        env.run(until=until)
        seen.append(desk.statistics.mean_users)
    assert seen == [0, 0.5, 0.5, 0.25]


def test_to_ask_changes_nothing(env):
    asked, unasked = DynamicResource(env, 1), DynamicResource(env, 1)
    for desk in (asked, unasked):
        for number in range(20):
            customer(env, desk, number * 0.1, 0.3)
    for tenth in range(1, 90):
        env.run(until=tenth * 0.1 + 0.07)
        assert asked.statistics.mean_queue >= 0
    assert asked.statistics.mean_queue == unasked.statistics.mean_queue
    assert asked.statistics.utilization == unasked.statistics.utilization


def test_who_withdraws_is_counted_and_has_no_wait(env):
    desk = DynamicResource(env, 1)
    customer(env, desk, 0, 10)
    customer(env, desk, 1, 10, patience=2)
    customer(env, desk, 2, 1)
    env.run(until=20)
    figures = desk.statistics
    assert (figures.served, figures.withdrawn) == (2, 1)
    assert figures.mean_queue == pytest.approx((2 + 8) / 20)
    assert (figures.mean_wait, figures.max_wait) == (4.0, 8.0)


def test_a_queue_that_lasts_no_time_is_no_queue(env):
    desk = DynamicResource(env, 1)
    first = desk.request()
    second = desk.request()
    desk.release(first)
    env.run(until=1)
    assert second.triggered
    assert (desk.statistics.max_queue, desk.statistics.mean_queue) == (0, 0)
    assert (desk.statistics.served, desk.statistics.max_wait) == (2, 0)


def test_no_time_and_no_waits_have_no_mean(env):
    figures = DynamicResource(env, 1).statistics
    for value in (
        figures.mean_users,
        figures.mean_queue,
        figures.utilization,
        figures.mean_wait,
        figures.max_wait,
        figures.wait_quantile(0.5),
    ):
        assert math.isnan(value)
    assert (figures.duration, figures.max_queue, figures.served) == (0, 0, 0)


def test_a_reset_cuts_off_what_was_before(env):
    desk = DynamicResource(env, 1)
    for at in (0, 1, 2):
        customer(env, desk, at, 4)
    env.run(until=6)
    figures = desk.statistics
    figures.reset()
    assert (figures.duration, figures.served, figures.max_queue) == (0, 0, 0)
    env.run(until=16)
    # From 6 to 8 the second is served and the third waits; it is served from 8 to 12.
    assert figures is desk.statistics
    assert figures.duration == 10
    assert figures.utilization == pytest.approx(6 / 10)
    assert figures.mean_queue == pytest.approx(2 / 10)
    # Its wait counts as a whole, the part before the reset too.
    assert (figures.served, figures.max_queue, figures.mean_wait) == (1, 1, 6.0)


def test_utilization_is_of_the_capacity_that_there_was(env):
    desk = DynamicResource(env, "Desk.staff")
    env.run(until=1)
    customer(env, desk, 0, 6)
    customer(env, desk, 0, 6)
    env.run(until=3)
    env.registry.update({"Desk.staff": 3})
    env.run(until=5)
    env.registry.update({"Desk.staff": 0})
    env.run(until=11)
    # Used: 1 from 1 to 3, 2 from 3 to 7, 1 from 7 to 9. There were 1 place for 3 and 3 for 2.
    figures = desk.statistics
    assert figures.mean_users == pytest.approx(12 / 11)
    assert figures.utilization == pytest.approx(12 / 9)
    assert (figures.mean_wait, figures.max_wait) == (1.0, 2.0)


def test_utilization_of_what_was_closed_all_the_time_is_not_defined(env):
    env.registry.update({"Desk.staff": 0})
    desk = DynamicResource(env, "Desk.staff")
    desk.request()
    env.run(until=10)
    assert math.isnan(desk.statistics.utilization)
    assert (desk.statistics.mean_users, desk.statistics.mean_queue) == (0, 1)


def test_utilization_of_what_has_no_limit_is_0(env):
    tank = DynamicContainer(env, init=5)
    env.run(until=10)
    assert (tank.statistics.utilization, tank.statistics.mean_level) == (0, 5)


def test_the_use_of_the_preempted_counts(env):
    desk = DynamicPreemptiveResource(env, 1)
    customer(env, desk, 0, 10, priority=2)
    customer(env, desk, 4, 3, priority=1)
    customer(env, desk, 5, 1, priority=3)
    env.run(until=10)
    figures = desk.statistics
    assert (figures.preempted, figures.served, figures.withdrawn) == (1, 3, 0)
    assert figures.mean_users == pytest.approx((4 + 3 + 1) / 10)
    assert figures.max_wait == 2.0


def test_those_whose_place_a_falling_capacity_took_are_preempted(env):
    env.registry.update({"Desk.staff": 3})
    desk = DynamicResource(env, "Desk.staff", on_shrink="preempt")
    for _ in range(3):
        customer(env, desk, 0, 10)
    env.run(until=4)
    env.registry.update({"Desk.staff": 1})
    env.run(until=20)
    figures = desk.statistics
    assert (figures.preempted, figures.served) == (2, 3)
    assert figures.mean_users == pytest.approx((3 * 4 + 1 * 6) / 20)


def test_priorities_decide_who_waits(env):
    desk = DynamicPriorityResource(env, 1)
    customer(env, desk, 0, 4, priority=0)
    customer(env, desk, 1, 4, priority=2)
    customer(env, desk, 2, 4, priority=1)
    env.run(until=12)
    figures = desk.statistics
    assert (figures.served, figures.max_queue) == (3, 2)
    assert figures.mean_queue == pytest.approx((7 + 2) / 12)
    assert (figures.mean_wait, figures.max_wait) == (3.0, 7.0)


def test_level_and_waits_of_a_container_are_as_by_hand(env):
    tank = DynamicContainer(env, 10, 4)

    def life():
        yield env.timeout(1)
        yield tank.put(5)  # 9 at once
        yield tank.put(3)  # waits for the other, who takes at 3
        yield env.timeout(2)
        yield tank.get(8)  # 12 - 4 - 8 = 0 at 5

    def other():
        yield env.timeout(3)
        yield tank.get(4)

    env.process(life())
    env.process(other())
    env.run(until=10)
    figures = tank.statistics
    assert isinstance(figures, StockStatistics)
    assert figures.mean_level == pytest.approx((4 * 1 + 9 * 2 + 8 * 2 + 0 * 5) / 10)
    assert figures.utilization == pytest.approx(figures.mean_level / 10)
    assert (figures.puts.served, figures.gets.served) == (2, 2)
    assert (figures.puts.mean_wait, figures.puts.max_wait) == (1.0, 2.0)
    assert (figures.puts.mean_queue, figures.puts.max_queue) == (0.2, 1)
    assert (figures.gets.mean_wait, figures.gets.mean_queue, figures.gets.max_queue) == (0, 0, 0)


@pytest.mark.parametrize("kind", [DynamicStore, DynamicPriorityStore, DynamicFilterStore])
def test_items_and_waits_of_a_store_are_as_by_hand(env, kind):
    shelf = kind(env, 2)

    def putting():
        for number in range(3):  # the third waits from 0 to 4
            yield shelf.put(number)

    def taking():
        yield env.timeout(4)
        for _ in range(4):  # the fourth waits from 4 on, and gives up at 6
            with shelf.get() as got:
                yield got | env.timeout(2)

    env.process(putting())
    env.process(taking())
    env.run(until=10)
    figures = shelf.statistics
    assert figures.mean_level == pytest.approx(2 * 4 / 10)
    assert (figures.puts.served, figures.puts.mean_wait) == (3, pytest.approx(4 / 3))
    assert figures.puts.mean_queue == pytest.approx(4 / 10)
    assert (figures.gets.served, figures.gets.withdrawn, figures.gets.max_wait) == (3, 1, 0)
    assert figures.gets.mean_queue == pytest.approx(2 / 10)


def test_items_that_are_assigned_count_from_the_next_event_on(env):
    shelf = DynamicStore(env)
    env.run(until=2)
    shelf.items = ["a", "b", "c"]
    env.run(until=5)
    shelf.get()
    env.run(until=10)
    assert shelf.statistics.mean_level == pytest.approx(2 * 5 / 10)


def test_a_growing_container_serves_puts_that_waited(env):
    tank = DynamicContainer(env, "Desk.room", 10)
    tank.put(5)
    env.run(until=3)
    env.registry.update({"Desk.room": 30})
    env.run(until=6)
    figures = tank.statistics
    assert figures.puts.mean_wait == 3
    assert figures.mean_level == pytest.approx((10 * 3 + 15 * 3) / 6)
    assert figures.utilization == pytest.approx((10 * 3 + 15 * 3) / (10 * 3 + 30 * 3))


def test_a_wrong_share_is_refused_though_nobody_was_served(env):
    with pytest.raises(ValueError, match=r"^q: expected a share from 0 to 1"):
        DynamicResource(env, 1).statistics.wait_quantile(95)
