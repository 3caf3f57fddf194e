from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from despatch_connector_kafka.watermark import Watermark


def brought(*offsets: int) -> Watermark:
    watermark = Watermark()
    for offset in offsets:
        watermark.bring(offset)
    return watermark


def test_nothing_is_due_before_something_is_acknowledged() -> None:
    watermark = brought(3, 4)
    assert watermark.position is None
    assert not watermark.is_due


def test_the_position_is_behind_the_last_without_a_gap() -> None:
    watermark = brought(3, 4, 5)
    watermark.acknowledge(4)
    assert watermark.position is None
    watermark.acknowledge(3)
    assert watermark.position == 5
    watermark.acknowledge(5)
    assert watermark.position == 6


def test_offsets_that_the_log_leaves_out_are_no_gap() -> None:
    watermark = brought(3, 7, 20)
    for offset in (3, 7):
        watermark.acknowledge(offset)
    assert watermark.position == 8


def test_what_was_committed_is_not_due() -> None:
    watermark = brought(0, 1)
    watermark.acknowledge(0)
    assert watermark.is_due
    watermark.committed = watermark.position
    assert not watermark.is_due
    watermark.acknowledge(0)
    assert not watermark.is_due
    watermark.acknowledge(1)
    assert watermark.is_due


@given(st.data())
def test_the_position_never_passes_what_is_not_acknowledged(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 60), min_size=1, max_size=20)))
    order = data.draw(st.permutations(offsets))
    watermark = brought(*offsets)
    done: set[int] = set()
    for offset in order:
        watermark.acknowledge(offset)
        done.add(offset)
        missing = [each for each in offsets if each not in done]
        before_the_gap = [each for each in offsets if not missing or each < missing[0]]
        assert watermark.position == (before_the_gap[-1] + 1 if before_the_gap else None)
