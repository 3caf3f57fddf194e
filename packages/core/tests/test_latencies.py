from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from despatch.metrics.latencies import BOUNDS_S, Latencies


def test_bounds_grow():
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))


def test_a_wait_at_a_bound_is_within_it():
    latencies = Latencies()
    latencies.observe(0.1, 3)
    buckets, sum_s = latencies.read()
    counts = dict(buckets)
    assert (counts["0.05"], counts["0.1"], counts["+Inf"]) == (0, 3, 3)
    assert sum_s == 0.1 * 3


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10_000))))
def test_each_bucket_counts_the_records_that_waited_no_longer(observed):
    latencies = Latencies()
    for waited_s, records in observed:
        latencies.observe(waited_s, records)
    buckets, _ = latencies.read()
    assert [bound for bound, _ in buckets] == [*map(str, BOUNDS_S), "+Inf"]
    for bound, count in buckets:
        assert count == sum(records for waited_s, records in observed if waited_s <= float(bound))
