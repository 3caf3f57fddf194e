from __future__ import annotations

import doctest

import pytest
import simpy

from despatch import Constant, Distribution, Normal, SimParameter
from despatch.registry import Registry, watches


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
    registry.register("Front", Desk())
    registry.register("Back", Desk())
    return registry


@pytest.fixture
def told(registry):
    """What a callback on all staff is told."""
    told = []
    registry.watch("*.staff").subscribe(lambda path, value: told.append((path, value)))
    return told


def test_a_watch_tells_of_every_path_that_matches_and_of_no_other(registry, told) -> None:
    registry.update({"Front.staff": 2})
    registry.update({"Back.counters": 5})
    registry.update({"Back.staff": 3})
    assert told == [("Front.staff", 2), ("Back.staff", 3)]


def test_a_pattern_has_one_watch_with_the_present_values(registry) -> None:
    watch = registry.watch("*.staff")
    assert registry.watch("*.staff") is watch
    registry.update({"Back.staff": 4})
    assert watch.values == {"Front.staff": 1, "Back.staff": 4}
    assert (watch.pattern, repr(watch)) == ("*.staff", "<Watch *.staff>")


@pytest.mark.parametrize("pattern", [None, 3, ["*"], b"*"])
def test_a_pattern_is_a_text(registry, pattern) -> None:
    with pytest.raises(TypeError, match="a pattern is a text, such as"):
        registry.watch(pattern)


def test_case_counts(registry) -> None:
    assert registry.watch("front.*").values == {}


def test_all_who_wait_wake_and_none_takes_anothers_wake_up(env, registry) -> None:
    woken = []

    def waiter(name, pattern):
        changes = yield registry.watch(pattern).changed()
        woken.append((name, dict(changes), env.now))

    env.process(waiter("a", "*.staff"))
    env.process(waiter("b", "*.staff"))
    env.process(waiter("c", "Front.*"))
    env.run(until=2)
    registry.update({"Front.staff": 3})
    env.run(until=3)
    assert woken == [(name, {"Front.staff": 3}, 2) for name in "abc"]


def test_one_updates_changes_are_told_together_in_its_order(env, registry, told) -> None:
    event = registry.watch("*").changed()
    registry.update({"Back.staff": 2, "Front.counters": 3, "Front.staff": 4})
    assert list(event.value.items()) == [
        ("Back.staff", 2),
        ("Front.counters", 3),
        ("Front.staff", 4),
    ]
    assert told == [("Back.staff", 2), ("Front.staff", 4)]


def test_a_waiter_misses_no_change_of_one_instant(env, registry) -> None:
    heard = []

    def waiter():
        while True:
            heard.append(list((yield registry.watch("*.staff").changed()).items()))

    env.process(waiter())
    env.run(until=1)
    registry.update({"Front.staff": 2})
    registry.update({"Back.staff": 3})
    registry.update({"Front.staff": 4})
    env.run(until=2)
    registry.update({"Front.staff": 5})
    env.run(until=3)
    assert heard == [[("Back.staff", 3), ("Front.staff", 4)], [("Front.staff", 5)]]


def test_who_asks_after_a_change_waits_for_the_next(env, registry) -> None:
    watch = registry.watch("*.staff")
    first = watch.changed()
    registry.update({"Front.staff": 2})
    second = watch.changed()
    assert second is not first
    assert not second.triggered
    registry.update({"Back.staff": 3})
    assert dict(first.value) == {"Front.staff": 2, "Back.staff": 3}
    assert dict(second.value) == {"Back.staff": 3}


def test_what_was_told_can_be_changed_by_nobody(registry) -> None:
    event = registry.watch("*.staff").changed()
    registry.update({"Front.staff": 2})
    with pytest.raises(TypeError):
        event.value["Front.staff"] = 9


def test_what_waiters_went_on_with_does_not_change_any_more(env, registry) -> None:
    event = registry.watch("*.staff").changed()
    registry.update({"Front.staff": 2})
    env.run()
    registry.update({"Front.staff": 3})
    assert dict(event.value) == {"Front.staff": 2}


def test_a_model_that_is_registered_later_is_watched_too(registry, told) -> None:
    registry.update({"Front.staff": 2})
    registry.register("Side", Desk())
    registry.update({"Side.staff": 3})
    assert told == [("Front.staff", 2), ("Side.staff", 3)]


def test_a_pattern_that_is_watched_later_hears_of_paths_that_changed_before(registry, told) -> None:
    registry.update({"Front.staff": 2})
    later = []
    registry.watch("Front.*").subscribe(lambda path, value: later.append((path, value)))
    registry.update({"Front.staff": 3})
    assert later == [("Front.staff", 3)]


def test_the_parts_of_a_family_that_comes_later_are_watched_too(registry) -> None:
    told = []
    registry.watch("Front.service.*").subscribe(lambda path, value: told.append((path, value)))
    registry.update({"Front.service.mean": 4})
    registry.update({"Front.service": Constant(value=2)})
    registry.update({"Front.service.value": 3})
    assert told == [
        ("Front.service.mean", 4.0),
        ("Front.service.value", 2.0),
        ("Front.service.value", 3.0),
    ]


def test_a_value_that_was_there_already_is_no_change(registry, told) -> None:
    registry.update({"Front.staff": 1})
    assert told == []


def test_who_is_told_of_one_value_sees_all_new_values(registry) -> None:
    seen = []
    watch = registry.watch("*.staff")
    watch.subscribe(lambda path, value: seen.append(watch.values))
    registry.update({"Front.staff": 2, "Back.staff": 3})
    assert seen == [{"Front.staff": 2, "Back.staff": 3}] * 2


def test_an_update_in_a_callback_is_told_of_after_the_one_that_led_to_it(registry, told) -> None:
    def limit(path, value):
        if value > 5:
            registry.update({path: 5})

    registry.watch("Front.*").subscribe(limit)
    registry.update({"Front.staff": 9, "Back.staff": 2})
    assert told == [("Front.staff", 9), ("Back.staff", 2), ("Front.staff", 5)]


def test_a_callback_that_unsubscribed_is_called_no_more(registry) -> None:
    told = []
    watch = registry.watch("*.staff")

    def once(path, value):
        told.append(value)
        watch.unsubscribe(once)

    watch.subscribe(once)
    registry.update({"Front.staff": 2})
    registry.update({"Front.staff": 3})
    assert told == [2]
    with pytest.raises(ValueError, match=r"\*\.staff: .* is not subscribed"):
        watch.unsubscribe(once)


def test_a_callbacks_error_is_the_models_and_no_waiter_loses_by_it(registry) -> None:
    watch = registry.watch("*.staff")
    event = watch.changed()
    watch.subscribe(lambda path, value: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registry.update({"Front.staff": 2})
    assert dict(event.value) == {"Front.staff": 2}


def test_nothing_waits_in_the_simulation_while_nothing_changes(env, registry) -> None:
    registry.watch("*").changed()
    env.run()
    assert env.now == 0


def test_the_docstrings_examples_hold() -> None:
    results = doctest.testmod(watches)
    assert results.attempted
    assert not results.failed
