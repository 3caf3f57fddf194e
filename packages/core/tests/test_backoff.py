from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from despatch.courier.backoff import Backoff, describe


def test_waits_grow_twofold_up_to_the_maximum(monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    backoff = Backoff(0.1, 1.0)
    assert [backoff.next_s() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_success_starts_over(monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    backoff = Backoff(0.1, 1.0)
    backoff.next_s()
    backoff.next_s()
    assert backoff.failures == 2
    backoff.reset()
    assert (backoff.failures, backoff.next_s()) == (0, 0.1)


@given(failures=st.integers(0, 10**9), initial=st.floats(0, 10), maximum=st.floats(0, 1000))
def test_every_wait_is_within_its_bounds(failures, initial, maximum):
    backoff = Backoff(initial, maximum, failures)
    assert 0.0 <= backoff.next_s() <= maximum


def test_waits_differ_so_that_couriers_do_not_return_all_at_once():
    assert len({Backoff(1.0).next_s() for _ in range(20)}) > 1


def test_an_error_is_described_in_one_line():
    assert describe(OSError("no\n  space   left")) == "OSError: no space left"


def test_an_error_without_words_is_described_by_its_kind():
    assert describe(ConnectionResetError()) == "ConnectionResetError"


def test_a_time_out_without_words_says_what_it_is():
    assert describe(TimeoutError()) == "TimeoutError: no answer in time"
    assert describe(TimeoutError("of its own")) == "TimeoutError: of its own"
