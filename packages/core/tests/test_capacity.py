"""What all seven resources have in common: a capacity that is followed."""

from __future__ import annotations

import math
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pytest
import simpy

import despatch
from despatch import DynamicContainer, DynamicEnvironment, SimParameter, UnknownPathError
from libraries import KINDS
from live_capacity import CAPACITY, WAYS, environment, set_capacity

DYNAMIC = {kind: getattr(despatch, f"Dynamic{kind}") for kind in KINDS}

every_kind = pytest.mark.parametrize("kind", KINDS)
every_way = pytest.mark.parametrize("way", WAYS)


def enter(place, number=0):
    """Ask for one more in it."""
    if isinstance(place, simpy.Resource):
        return place.request()
    return place.put(1 if isinstance(place, simpy.Container) else number)


def occupied(place):
    if isinstance(place, simpy.Resource):
        return place.count
    return place.level if isinstance(place, simpy.Container) else len(place.items)


def make_room(place):
    """Take one out."""
    if isinstance(place, simpy.Resource):
        place.release(place.users[0])
    elif isinstance(place, simpy.Container):
        place.get(1)
    else:
        place.get()


def triggered(events):
    return [event.triggered for event in events]


@every_kind
@every_way
def test_growing_wakes_as_many_as_fit_at_once_in_their_order(kind, way):
    env = environment(way, 1)
    place = DYNAMIC[kind](env, CAPACITY)
    events = [enter(place, number) for number in range(8)]
    processed = []
    for number, event in enumerate(events):
        event.callbacks.append(lambda _, number=number: processed.append((env.now, number)))
    env.run(until=5)
    assert processed == [(0, 0)]
    set_capacity(env, 6)
    assert triggered(events) == [True] * 6 + [False] * 2
    assert (occupied(place), len(place.put_queue)) == (6, 2)
    env.run(until=6)
    assert processed[1:] == [(5, number) for number in range(1, 6)]
    set_capacity(env, 100)
    assert all(triggered(events))


@every_kind
@every_way
def test_zero_is_closed_to_who_comes_and_keeps_who_is_there(kind, way):
    env = environment(way, 2)
    place = DYNAMIC[kind](env, CAPACITY)
    enter(place)
    enter(place)
    set_capacity(env, 0)
    waiting = enter(place)
    env.run()
    assert (place.capacity, occupied(place), place.over_capacity) == (0, 2, 2)
    assert place.is_over_capacity
    for left in (1, 0):
        make_room(place)
        env.run()
        assert (occupied(place), place.over_capacity) == (left, left)
    assert not place.is_over_capacity
    assert not waiting.triggered
    set_capacity(env, 1)
    assert waiting.triggered


@every_kind
@every_way
def test_a_place_that_was_closed_from_the_start_opens(kind, way):
    env = environment(way, 0)
    place = DYNAMIC[kind](env, CAPACITY)
    events = [enter(place), enter(place)]
    env.run()
    assert triggered(events) == [False, False]
    set_capacity(env, 1)
    assert triggered(events) == [True, False]


@every_kind
@every_way
def test_shrinking_lets_nobody_in_until_there_is_room_under_the_new_capacity(kind, way):
    env = environment(way, 5)
    place = DYNAMIC[kind](env, CAPACITY)
    for number in range(5):
        enter(place, number)
    waiting = [enter(place, number) for number in (5, 6)]
    set_capacity(env, 2)
    for used in (4, 3, 2):
        make_room(place)
        env.run()
        assert (occupied(place), triggered(waiting)) == (used, [False, False])
        assert place.over_capacity == used - 2
    make_room(place)
    env.run()
    assert (occupied(place), triggered(waiting)) == (2, [True, False])


@every_kind
def test_a_path_and_its_signal_are_the_same_and_a_number_stays(kind):
    env = environment(capacity=2)
    by_path = DYNAMIC[kind](env, CAPACITY)
    by_signal = DYNAMIC[kind](env, capacity=env.registry.signal(CAPACITY))
    by_number = DYNAMIC[kind](env, capacity=2)
    set_capacity(env, 4)
    assert (by_path.capacity, by_signal.capacity, by_number.capacity) == (4, 4, 2)


def test_all_resources_may_follow_one_path():
    env = environment(capacity=1)
    places = [DYNAMIC[kind](env, CAPACITY) for kind in (*KINDS, *KINDS)]
    events = [[enter(place, number) for number in range(4)] for place in places]
    set_capacity(env, 3)
    assert [triggered(each) for each in events] == [[True, True, True, False]] * len(places)


@every_kind
def test_a_change_within_the_run_takes_effect_at_its_instant(kind):
    env = environment(capacity=1)
    place = DYNAMIC[kind](env, CAPACITY)
    events = [enter(place, number) for number in range(3)]
    seen = []

    def steer():
        yield env.timeout(3)
        set_capacity(env, 3)
        seen.append(triggered(events))

    events[2].callbacks.append(lambda _: seen.append(env.now))
    env.process(steer())
    env.run()
    assert seen == [[True] * 3, 3]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"Container"}))
@every_way
def test_a_fraction_gives_whole_places(kind, way):
    env = environment(way, 2.9)
    place = DYNAMIC[kind](env, "Place.volume")
    events = [enter(place, number) for number in range(5)]
    assert (place.capacity, occupied(place)) == (2, 2)
    env.registry.update({"Place.volume": 4.99})
    assert (place.capacity, triggered(events)) == (4, [True] * 4 + [False])
    env.registry.update({"Place.volume": 0.5})
    assert (place.capacity, place.over_capacity) == (0, 4)


@every_way
def test_a_container_holds_fractions(way):
    env = environment(way, 4.7)
    tank = DynamicContainer(env, "Place.volume", init=4.5)
    full, waiting = tank.put(0.2), tank.put(0.25)
    assert (tank.capacity, full.triggered, waiting.triggered) == (4.7, True, False)
    env.registry.update({"Place.volume": 4.95})
    assert (tank.level, waiting.triggered) == (4.95, True)
    env.registry.update({"Place.volume": 4.5})
    assert tank.over_capacity == pytest.approx(0.45)


@pytest.mark.parametrize("number", [np.int64(2), np.float64(2.0), Fraction(2), math.inf, 2.5])
@every_kind
def test_a_number_may_be_any_that_can_be_compared(kind, number):
    place = DYNAMIC[kind](simpy.Environment(), number)
    assert place.capacity == number
    assert enter(place).triggered


class Size(IntEnum):
    SMALL = 1
    LARGE = 3


class Odd(SimParameter):
    size: Size = Size.SMALL
    limit: int | None = 1
    text: str = "many"
    is_open: bool = True
    debt: int = -1


@pytest.fixture
def odd():
    env = DynamicEnvironment()
    env.registry.register("Odd", Odd())
    return env


@every_kind
def test_a_member_of_an_enumeration_of_numbers_is_a_number(kind, odd):
    place = DYNAMIC[kind](odd, "Odd.size")
    odd.registry.update({"Odd.size": 3})
    assert place.capacity == 3


@every_kind
def test_what_is_no_number_any_more_is_an_error_that_names_the_path(kind, odd):
    DYNAMIC[kind](odd, "Odd.limit")
    with pytest.raises(ValueError, match=r"^Odd\.limit: a capacity must be a number.*None$"):
        odd.registry.update({"Odd.limit": None})


@every_kind
@pytest.mark.parametrize(
    ("capacity", "error", "reason"),
    [
        ("Odd.text", ValueError, r"^Odd\.text: a capacity must be a number, and there is 'many'$"),
        ("Odd.is_open", ValueError, r"^Odd\.is_open: a capacity must be a number, .* True$"),
        ("Odd.debt", ValueError, r"^Odd\.debt: a capacity must be at least 0, and there is -1$"),
        ("Odd", UnknownPathError, r"^capacity: Odd: a group of parameters"),
        ("Odd.size_", UnknownPathError, r"^capacity: Odd\.size_: no such path; .*Odd\.size"),
        ("3", UnknownPathError, r"^capacity: 3: no such path; there are Odd\.size"),
        ("", UnknownPathError, r"^capacity: '': no such path"),
        (True, TypeError, "^capacity: expected a number above 0, a path .*, not True$"),
        (None, TypeError, "^capacity: expected a number above 0, .* not None$"),
        ([2], TypeError, r"^capacity: expected a number above 0, .* not \[2\]$"),
        (["Odd.size"], TypeError, r"^capacity: expected a number above 0, .* not \['Odd.size'\]$"),
        (b"Odd.size", TypeError, r"^capacity: expected a number above 0, .* not b'Odd.size'$"),
        (np.array([1, 2]), TypeError, "^capacity: expected a number above 0"),
        (math.nan, ValueError, "^capacity: expected a number above 0, .* not nan$"),
        (0, ValueError, '^"capacity" must be > 0.$'),
        (-5, ValueError, '^"capacity" must be > 0.$'),
        (-math.inf, ValueError, '^"capacity" must be > 0.$'),
    ],
)
def test_what_is_no_capacity_is_refused_at_the_call(kind, odd, capacity, error, reason):
    with pytest.raises(error, match=reason):
        DYNAMIC[kind](odd, capacity)


@every_kind
@pytest.mark.parametrize("env", [None, 3, DynamicEnvironment])
@pytest.mark.parametrize("capacity", [1, "Odd.size"])
def test_what_is_no_environment_is_refused_at_the_call(kind, env, capacity):
    with pytest.raises(TypeError, match=r"^env: expected a simpy\.Environment, .*, not "):
        DYNAMIC[kind](env, capacity)


@every_kind
def test_a_path_needs_an_environment_with_a_registry(kind):
    with pytest.raises(TypeError, match=r"^the capacity 'Odd\.size' is a path, and Env"):
        DYNAMIC[kind](simpy.Environment(), "Odd.size")


@every_kind
def test_a_signal_of_another_environment_is_refused(kind, odd):
    other = environment()
    with pytest.raises(ValueError, match=r"^capacity: <Signal Odd\.size> is a signal of another"):
        DYNAMIC[kind](other, odd.registry.signal("Odd.size"))


@pytest.mark.parametrize("capacity", [3, "Odd.size"])
@pytest.mark.parametrize(
    ("init", "error", "reason"),
    [
        ("1", TypeError, "^init: expected a number of at least 0, not '1'$"),
        (None, TypeError, "^init: expected a number of at least 0, not None$"),
        (True, TypeError, "^init: expected a number of at least 0, not True$"),
        (math.nan, ValueError, "^init: expected a number of at least 0, not nan$"),
        (-1, ValueError, '^"init" must be >= 0.$'),
    ],
)
def test_an_amount_at_the_start_that_is_none_is_refused(odd, capacity, init, error, reason):
    with pytest.raises(error, match=reason):
        DynamicContainer(odd, capacity, init)


@every_way
@pytest.mark.parametrize("move", ["put", "get"])
@pytest.mark.parametrize(
    ("amount", "error", "reason"),
    [
        (0, ValueError, r"^amount\(=0\) must be > 0\.$"),
        (-1.5, ValueError, r"^amount\(=-1\.5\) must be > 0\.$"),
        (math.nan, ValueError, "^amount: expected a number above 0, not nan$"),
        ("1", TypeError, "^amount: expected a number above 0, not '1'$"),
        (None, TypeError, "^amount: expected a number above 0, not None$"),
    ],
)
def test_an_amount_that_is_none_is_refused_at_the_call(way, move, amount, error, reason):
    env = environment(way)
    tank = DynamicContainer(env, 5, 1)
    with pytest.raises(error, match=reason):
        getattr(tank, move)(amount)
    assert (tank.level, len(tank.put_queue), len(tank.get_queue)) == (1, 0, 0)
    assert math.isinf(env.peek())


@every_way
def test_what_is_no_filter_is_refused_at_the_call(way):
    store = despatch.DynamicFilterStore(environment(way))
    with pytest.raises(TypeError, match=r"^filter: expected a function of an item, not 3$"):
        store.get(3)
    assert store.get_queue == []
