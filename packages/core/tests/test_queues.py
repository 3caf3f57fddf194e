from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy.resources.resource import SortedQueue

from despatch.resources.queues import Ranked, Users, Waiting


def filled(kind: type, items: Any) -> Any:
    line = kind()
    for item in items:
        line.append(item)
    return line


@pytest.mark.parametrize("kind", [Waiting, Users])
@given(items=st.lists(st.integers(), unique=True, max_size=6), cut=st.slices(6))
def test_it_reads_as_the_list_of_what_is_in_it(kind, items, cut):
    line = filled(kind, items)
    assert line == items
    assert items == line
    assert (line != items) is False
    assert (len(line), bool(line), repr(line)) == (len(items), bool(items), repr(items))
    assert list(line) == items
    assert list(reversed(line)) == items[::-1]
    assert line[cut] == items[cut]
    for index, item in enumerate(items):
        assert item in line
        assert line[index] == line[index - len(items)] == item
        assert (line.index(item), line.count(item)) == (index, 1)
    assert "absent" not in line
    assert line.count("absent") == 0
    with pytest.raises(IndexError):
        line[len(items)]
    with pytest.raises(ValueError, match="absent"):
        line.index("absent")
    with pytest.raises(ValueError, match=r"absent|not in"):
        line.remove("absent")


@pytest.mark.parametrize("kind", [Waiting, Users])
def test_it_equals_sequences_of_the_same_items_in_the_same_order_alone(kind):
    line = filled(kind, "ab")
    assert line == filled(kind, "ab")
    assert line != filled(kind, "ba")
    assert line != ["b", "a"]
    assert line != ["a"]
    assert line != {"a", "b"}
    assert line != "ab"
    assert line != 2
    assert isinstance(line, Sequence)


@pytest.mark.parametrize("kind", [Waiting, Users])
def test_it_changes_and_so_has_no_hash(kind):
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind())


@pytest.mark.parametrize("kind", [Waiting, Users])
@given(items=st.lists(st.integers(), unique=True, min_size=1), data=st.data())
def test_who_is_taken_out_leaves_the_others_in_their_order(kind, items, data):
    line = filled(kind, items)
    item = data.draw(st.sampled_from(items))
    line.remove(item)
    assert line == [each for each in items if each != item]
    line.append(item)
    assert line[-1] == item


@given(
    st.lists(st.integers(0, 5)),
    st.lists(
        st.tuples(
            st.sampled_from(["append", "pop", "popleft", "pop at", "remove", "sort", "insert"]),
            st.integers(-7, 7),
        )
    ),
)
def test_waiting_does_what_a_list_does(items, actions):
    line, plain = filled(Waiting, items), list(items)
    for action, number in actions:
        match action:
            case "append":
                line.append(number)
                plain.append(number)
            case "insert":
                line.insert(number, number)
                plain.insert(number, number)
            case "pop" if plain:
                assert line.pop() == plain.pop()
            case "popleft" if plain:
                assert line.popleft() == plain.pop(0)
            case "pop at" if -len(plain) <= number < len(plain):
                assert line.pop(number) == plain.pop(number)
            case "pop at":
                with pytest.raises(IndexError):
                    line.pop(number)
            case "remove" if number in plain:
                line.remove(number)
                plain.remove(number)
            case "sort":
                line.sort(key=lambda each: -each % 3, reverse=number > 0)
                plain.sort(key=lambda each: -each % 3, reverse=number > 0)
        assert line == plain


@given(st.lists(st.integers(0, 9)), st.slices(10), st.lists(st.integers(0, 9), max_size=3))
def test_slices_of_waiting_are_set_and_deleted_as_those_of_a_list(items, cut, others):
    line, plain = filled(Waiting, items), list(items)
    if cut.step in (None, 1):
        line[cut] = others
        plain[cut] = others
        assert line == plain
    del line[cut]
    del plain[cut]
    assert line == plain


def test_waiting_sets_a_single_place():
    line = filled(Waiting, "abc")
    line[1] = "x"
    assert line == ["a", "x", "c"]


@dataclass(frozen=True)
class Ask:
    key: tuple[int, int]
    number: int


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2))), st.data())
def test_ranked_is_in_the_order_of_simpys_queue_at_every_arrival_and_departure(keys, data):
    ranked, simpys = Ranked(), SortedQueue()
    for number, key in enumerate(keys):
        ask = Ask(key, number)
        ranked.append(ask)
        simpys.append(ask)
        assert ranked == simpys
        if data.draw(st.booleans()):
            assert ranked.popleft() == simpys.pop(0)
    assert ranked == simpys


def test_ranked_may_have_a_greatest_length():
    ranked = Ranked(maxlen=1)
    ranked.append(Ask((0, 0), 1))
    with pytest.raises(RuntimeError, match="Queue is full"):
        ranked.append(Ask((0, 0), 2))
    assert len(ranked) == 1


def test_who_cannot_be_ranked_among_the_others_is_refused_and_does_not_wait():
    ranked = filled(Ranked, [Ask((0, 0), 1)])
    with pytest.raises(TypeError, match=r"^priority: 'high' cannot be compared"):
        ranked.append(Ask(("high", 0), 2))
    assert len(ranked) == 1


@pytest.mark.parametrize("kind", [Waiting, Users])
def test_lines_are_added_to_a_list(kind):
    line = filled(kind, "ab")
    assert add(line, ["c"]) == ["a", "b", "c"]
    assert add(["c"], line) == ["c", "a", "b"]
    assert line + filled(Users, "c") == ["a", "b", "c"]
    assert line.copy() == ["a", "b"]
    assert type(line.copy()) is list


def test_users_admits_nobody_twice():
    users = filled(Users, "aba")
    assert users == ["a", "b"]


def test_users_is_made_of_requests_in_their_order():
    assert Users("cab") == ["c", "a", "b"]


def test_users_can_be_popped_by_place_as_a_list():
    users = filled(Users, "abcd")
    assert (users.pop(), users.pop(0), users.pop(-1)) == ("d", "a", "c")
    assert users == ["b"]
    with pytest.raises(IndexError):
        users.pop(1)


def test_users_can_be_cleared_extended_and_set_as_a_list():
    users = filled(Users, "ab")
    users.extend("cd")
    users[1] = "x"
    del users[0]
    assert users == ["x", "c", "d"]
    users.insert(1, "y")
    assert users == ["x", "y", "c", "d"]
    users.sort()
    assert users == ["c", "d", "x", "y"]
    users.reverse()
    assert users == ["y", "x", "d", "c"]
    users.clear()
    assert users == []
