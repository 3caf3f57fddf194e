from __future__ import annotations

import doctest

import pytest
import simpy

from despatch import Constant, Distribution, Normal, SimParameter
from despatch.errors import UnknownPathError
from despatch.registry import Registry, signals


class Desk(SimParameter):
    staff: int = 1
    counters: int = 1
    service: Distribution = Normal(mean=3.0, std=0.5)


@pytest.fixture
def env():
    return simpy.Environment()


@pytest.fixture
def registry(env):
    registry = Registry(env)
    registry.register("Desk", Desk())
    return registry


def test_a_signal_has_its_path_and_present_value(registry) -> None:
    signal = registry.signal("Desk.staff")
    registry.update({"Desk.staff": 4})
    assert (signal.path, signal.value, repr(signal)) == ("Desk.staff", 4, "<Signal Desk.staff>")


def test_two_processes_on_one_path_both_wake(env, registry) -> None:
    woken = []

    def waiter(name):
        value = yield registry.signal("Desk.staff").changed()
        woken.append((name, value, env.now))

    env.process(waiter("a"))
    env.process(waiter("b"))
    env.run(until=2)
    registry.update({"Desk.staff": 3})
    env.run(until=3)
    assert woken == [("a", 3, 2), ("b", 3, 2)]


def test_waiters_share_one_event_and_the_next_change_has_another(registry) -> None:
    signal = registry.signal("Desk.staff")
    event = signal.changed()
    assert signal.changed() is event
    registry.update({"Desk.staff": 3})
    assert event.triggered
    assert event.value == 3
    assert not signal.changed().triggered


def test_a_process_that_waits_again_hears_of_every_change(env, registry) -> None:
    heard = []

    def waiter():
        while True:
            heard.append((yield registry.signal("Desk.staff").changed()))

    env.process(waiter())
    for staff in (2, 5, 3):
        env.run(until=env.now + 1)
        registry.update({"Desk.staff": staff})
    env.run(until=env.now + 1)
    assert heard == [2, 5, 3]


def test_nothing_waits_in_the_simulation_while_nothing_changes(env, registry) -> None:
    registry.signal("Desk.staff").changed()
    env.run()
    assert env.now == 0


def test_a_value_that_was_there_already_is_no_change(registry) -> None:
    event = registry.signal("Desk.staff").changed()
    registry.update({"Desk.staff": 1})
    assert not event.triggered


def test_other_paths_are_not_woken(registry) -> None:
    event = registry.signal("Desk.counters").changed()
    registry.update({"Desk.staff": 2})
    assert not event.triggered


def test_callbacks_are_called_at_once_before_any_waiter_goes_on(env, registry) -> None:
    order = []
    signal = registry.signal("Desk.staff")

    def waiter():
        order.append(("waiter", (yield signal.changed())))

    env.process(waiter())
    env.run(until=1)
    signal.subscribe(lambda value: order.append(("callback", value)))
    registry.update({"Desk.staff": 2})
    assert order == [("callback", 2)]
    env.run(until=2)
    assert order == [("callback", 2), ("waiter", 2)]


def test_callbacks_are_called_in_the_order_of_their_subscription(registry) -> None:
    order = []
    signal = registry.signal("Desk.staff")
    for name in "abc":
        signal.subscribe(lambda value, name=name: order.append(name))
    registry.update({"Desk.staff": 2})
    assert order == ["a", "b", "c"]


def test_who_is_told_of_one_value_sees_all_new_values(registry) -> None:
    seen = []

    def look(_):
        seen.append((registry["Desk.staff"], registry["Desk.counters"]))

    registry.signal("Desk.staff").subscribe(look)
    registry.signal("Desk.counters").subscribe(look)
    registry.update({"Desk.staff": 2, "Desk.counters": 3})
    assert seen == [(2, 3), (2, 3)]


def test_an_update_in_a_callback_is_told_of_after_the_one_that_led_to_it(registry) -> None:
    told = []
    staff, counters = registry.signal("Desk.staff"), registry.signal("Desk.counters")
    staff.subscribe(lambda value: registry.update({"Desk.counters": 9}))
    counters.subscribe(told.append)
    registry.update({"Desk.staff": 2, "Desk.counters": 3})
    assert told == [3, 9]
    assert registry["Desk.counters"] == 9


def test_every_callback_hears_of_the_changes_in_their_order(registry) -> None:
    told = []
    signal = registry.signal("Desk.staff")

    def limit(value):
        if value > 5:
            registry.update({"Desk.staff": 5})

    signal.subscribe(limit)
    signal.subscribe(told.append)
    registry.update({"Desk.staff": 9})
    assert told == [9, 5]


def test_who_asks_in_a_callback_waits_for_the_change_after(registry) -> None:
    events = []
    signal = registry.signal("Desk.staff")
    signal.subscribe(lambda value: events.append(signal.changed()))
    registry.update({"Desk.staff": 2})
    assert not events[0].triggered
    registry.update({"Desk.staff": 3})
    assert events[0].value == 3


def test_a_callback_may_unsubscribe_itself(registry) -> None:
    told = []
    signal = registry.signal("Desk.staff")

    def once(value):
        told.append(value)
        signal.unsubscribe(once)

    signal.subscribe(once)
    signal.subscribe(lambda value: told.append(("next", value)))
    registry.update({"Desk.staff": 2})
    registry.update({"Desk.staff": 3})
    assert told == [2, ("next", 2), ("next", 3)]


def test_unsubscribing_what_is_not_subscribed_is_an_error(registry) -> None:
    with pytest.raises(ValueError, match=r"Desk\.staff: .* is not subscribed"):
        registry.signal("Desk.staff").unsubscribe(print)


def test_what_cannot_be_called_is_refused_at_the_call(registry) -> None:
    signal = registry.signal(registry.paths()[0])
    with pytest.raises(TypeError, match=rf"^{signal.path}: expected a function of the new value"):
        signal.subscribe(3)


def test_a_callbacks_error_is_the_models_and_nobody_else_loses_by_it(registry) -> None:
    told = []

    def fail(value):
        raise ZeroDivisionError

    staff, counters = registry.signal("Desk.staff"), registry.signal("Desk.counters")
    event = staff.changed()
    staff.subscribe(fail)
    counters.subscribe(told.append)
    with pytest.raises(ZeroDivisionError):
        registry.update({"Desk.staff": 2, "Desk.counters": 3})
    assert registry["Desk.staff"] == 2
    assert event.triggered
    registry.update({"Desk.counters": 4})
    assert told == [3, 4]


def test_a_distribution_is_told_of_when_one_of_its_parameters_changes(registry) -> None:
    whole = registry.signal("Desk.service").changed()
    part = registry.signal("Desk.service.mean").changed()
    other = registry.signal("Desk.service.std").changed()
    registry.update({"Desk.service.mean": 4})
    assert whole.value == Normal(mean=4, std=0.5)
    assert part.value == 4.0
    assert not other.triggered


def test_the_parameters_are_told_of_when_the_distribution_changes_as_a_whole(registry) -> None:
    part = registry.signal("Desk.service.mean").changed()
    other = registry.signal("Desk.service.std").changed()
    registry.update({"Desk.service": Normal(mean=4, std=0.5)})
    assert part.value == 4.0
    assert not other.triggered


def test_a_parameter_that_went_with_its_family_is_told_of_when_it_is_back(registry) -> None:
    signal = registry.signal("Desk.service.mean")
    event = signal.changed()
    registry.update({"Desk.service": Constant(value=2)})
    assert not event.triggered
    with pytest.raises(UnknownPathError, match=r"Desk\.service\.mean"):
        _ = signal.value
    registry.update({"Desk.service": Normal(mean=3, std=0.5)})
    assert event.value == 3.0


def test_the_docstrings_examples_hold() -> None:
    results = doctest.testmod(signals)
    assert results.attempted
    assert not results.failed
