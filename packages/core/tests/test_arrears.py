from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from despatch.journal.arrears import Arrears


def arrears_of(*frames: tuple[int, int], most_marks: int = 4096) -> Arrears:
    arrears = Arrears(most_marks)
    for end, size in frames:
        arrears.wrote(end, size)
    return arrears


def test_what_was_written_is_behind_until_it_is_passed():
    arrears = arrears_of((10, 100), (20, 200), (30, 400))
    assert arrears.bytes == 700
    arrears.passed(10)
    assert arrears.bytes == 600
    arrears.passed(30)
    assert arrears.bytes == 0


def test_a_frame_is_passed_as_a_whole():
    arrears = arrears_of((10, 100), (20, 200))
    arrears.passed(19)
    assert arrears.bytes == 200


def test_a_position_that_was_passed_before_changes_nothing():
    arrears = arrears_of((10, 100), (20, 200))
    arrears.passed(20)
    arrears.passed(10)
    assert arrears.bytes == 0


def test_room_is_made_by_whole_frames():
    arrears = arrears_of((10, 100), (20, 200), (30, 400))
    assert arrears.position_that_leaves(700) is None
    assert arrears.position_that_leaves(699) == 10
    assert arrears.position_that_leaves(600) == 10
    assert arrears.position_that_leaves(599) == 20
    assert arrears.position_that_leaves(0) == 30


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 100)), max_size=80),
    st.integers(0, 400),
    st.integers(2, 9),
)
def test_memory_is_bounded_and_the_arrears_never_too_small(frames, position, most_marks):
    exact, coarse = Arrears(1000), Arrears(most_marks)
    end = 0
    for count, size in frames:
        end += count
        exact.wrote(end, size)
        coarse.wrote(end, size)
        assert len(coarse._marks) <= most_marks
        assert coarse.bytes == exact.bytes
    exact.passed(position)
    coarse.passed(position)
    assert coarse.bytes >= exact.bytes
    # To pass what is asked for makes the room that was wanted.
    wanted = exact.bytes // 2
    before = coarse.position_that_leaves(wanted)
    if before is not None:
        exact.passed(before)
        coarse.passed(before)
        assert exact.bytes <= coarse.bytes <= wanted
    coarse.passed(end)
    assert coarse.bytes == 0
