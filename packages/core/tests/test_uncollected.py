from __future__ import annotations

import gc
import weakref

import pytest

from despatch.restoring.uncollected import uncollected


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    gc.unfreeze()
    gc.enable()


def test_no_garbage_is_looked_for_in_the_block_and_it_is_again_afterwards() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()


def test_who_looks_for_none_anyway_is_left_to_it() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_of_very_much_that_was_made_meanwhile_all_counts_as_old() -> None:
    with uncollected():
        made = [[] for _ in range(60_000)]
    assert gc.get_count()[0] < 60_000
    assert any(each is made for each in gc.get_objects(generation=2))
    assert gc.get_freeze_count() == 0


def test_garbage_from_before_is_found_though_there_is_one_block_after_the_other() -> None:
    # As in a worker: a replication, the next one, and so on.
    class Replication:
        def __init__(self) -> None:
            self.itself = self

    seen = []
    for _ in range(200):
        with uncollected():
            replication = Replication()
        made = [[] for _ in range(1000)]
        seen.append(weakref.ref(replication))
    del replication, made
    assert sum(each() is not None for each in seen) < 100


def test_what_is_frozen_stays_so() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with uncollected():
        made = [[]]
    assert gc.get_freeze_count() == pytest.approx(frozen, rel=0.01)
    assert frozen
    assert made
