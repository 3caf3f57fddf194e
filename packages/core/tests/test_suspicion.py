from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.courier.suspicion import CONVICTIONS, DEATHS, Stage, Suspicion

S = 10**9


def flying(suspicion, records, *, begun_ns=0):
    return replace(suspicion, stage=Stage.DELIVERING, records=records, begun_ns=begun_ns)


def died(suspicion, position, end, records, *, was_alone=True, flight_s=0.0):
    return flying(suspicion, records).after_death(
        position, end, was_alone=was_alone, died_ns=int(flight_s * S)
    )


def test_three_deaths_make_a_batch_suspect_and_do_not_change_its_range():
    suspicion, end = Suspicion(), 100
    for deaths in range(1, DEATHS):
        suspicion, end = died(suspicion, 0, end, 100, was_alone=False)
        assert (suspicion.deaths, suspicion.suspect_end, end) == (deaths, None, 100)
    suspicion, end = died(suspicion, 0, end, 100, was_alone=False)
    assert (suspicion.deaths, suspicion.suspect_end, end) == (0, 100, 100)


def test_a_suspect_is_halved_at_each_death_until_one_record_is_left():
    suspicion, end = Suspicion(suspect_end=8), 8
    ends = []
    for records in (8, 4, 2):
        suspicion, end = died(suspicion, 0, end, records)
        ends.append(end)
    assert ends == [4, 2, 1]
    assert suspicion.suspect_end == 8
    assert not suspicion.is_convicted


def test_a_single_record_is_convicted_by_three_deaths_of_its_own():
    suspicion, end = Suspicion(suspect_end=8, killer_end=1), 1
    for deaths in range(1, DEATHS + 1):
        assert not suspicion.is_convicted
        suspicion, end = died(suspicion, 0, end, 1)
        assert (suspicion.deaths, end) == (deaths, 1)
    assert suspicion.is_convicted


def test_a_death_with_others_at_work_convicts_no_record():
    suspicion, end = Suspicion(suspect_end=8), 1
    for _ in range(10):
        suspicion, end = died(suspicion, 0, end, 1, was_alone=False)
    assert not suspicion.is_convicted


def test_when_the_first_half_is_delivered_the_second_is_halved_at_once():
    suspicion = Suspicion(suspect_end=100, killer_end=8)
    assert suspicion.next_end(4) == 6
    assert suspicion.next_end(7) == 8
    # Past what killed, all that is left of the suspect range is tried as a whole.
    assert suspicion.next_end(8) == 100
    assert Suspicion().next_end(8) is None


@given(st.integers(1, 5000), st.data())
def test_the_culprit_is_found_in_as_many_deaths_as_there_are_halvings(size, data):
    culprit = data.draw(st.integers(0, size - 1))
    suspicion, position, end, deaths = Suspicion(suspect_end=size), 0, size, 0
    while not suspicion.is_convicted:
        if position <= culprit < end:
            suspicion, end = died(suspicion, position, end, end - position)
            deaths += 1
        else:
            position = end
            end = suspicion.next_end(position)
    assert (position, end) == (culprit, culprit + 1)
    assert deaths <= size.bit_length() + 1 + DEATHS


def test_a_lull_is_five_times_as_long_as_the_longest_flight_within_limits():
    lulls = [died(Suspicion(suspect_end=9), 0, 9, 9, flight_s=s)[0].lull_s for s in (0, 1.5, 60)]
    assert lulls == [0.1, 7.5, 10.0]
    assert died(Suspicion(lull_s=3.0), 0, 9, 9, flight_s=0.1)[0].lull_s == 3.0


def test_a_clock_that_was_set_back_makes_no_negative_lull():
    suspicion, _ = flying(Suspicion(suspect_end=9), 9, begun_ns=10 * S).after_death(
        0, 9, was_alone=True, died_ns=0
    )
    assert suspicion.lull_s == 0.1


@pytest.mark.parametrize("was_alone", [True, False])
def test_a_connector_is_condemned_by_three_deaths_alone_after_the_first(was_alone):
    suspicion = Suspicion()
    for _ in range(1 + DEATHS):
        assert not suspicion.is_condemned
        opening = replace(suspicion, stage=Stage.OPENING)
        suspicion, _ = opening.after_death(0, None, was_alone=was_alone, died_ns=0)
    assert suspicion.is_condemned is was_alone
    assert suspicion.opening_deaths == (1 + DEATHS if was_alone else 1)


def test_a_connector_that_was_opened_is_no_suspect_for_it_but_its_batch_still_is():
    suspicion = Suspicion(opening_deaths=3, deaths=1, suspect_end=9)
    assert suspicion.opened() == Suspicion(deaths=1, suspect_end=9)


def test_records_convicted_in_a_row_condemn_the_connector():
    assert not Suspicion(convictions=CONVICTIONS - 1).is_condemned
    assert Suspicion(convictions=CONVICTIONS).is_condemned
    assert f"{CONVICTIONS} records in a row" in Suspicion(convictions=CONVICTIONS).condemnation


@pytest.mark.parametrize("held", [{"opening_deaths": 9}, {"convictions": 9}])
def test_one_on_parole_is_condemned_again_by_the_next_death(held):
    suspicion = Suspicion(**held).paroled()
    assert not suspicion.is_condemned
    again = replace(
        suspicion,
        opening_deaths=suspicion.opening_deaths + ("opening_deaths" in held),
        convictions=suspicion.convictions + ("convictions" in held),
    )
    assert again.is_condemned


def test_what_is_cleared_has_nothing_left_but_convictions():
    suspicion = Suspicion(Stage.LULL, 1, 2, 3, 4, 5, 6, 7.0, 2)
    assert suspicion.cleared() == Suspicion(convictions=2)


class Killer:
    """Kills couriers at random moments: a process without memory, in simulated wall seconds."""

    def __init__(self, seed, mean_s):
        self.rng = random.Random(seed)
        self.mean_s = mean_s
        self.kills = 0

    def strikes_within(self, s):
        """When it strikes in a span of so many seconds; None where it does not."""
        at = self.rng.expovariate(1 / self.mean_s)
        if at >= s:
            return None
        self.kills += 1
        return at


@pytest.mark.parametrize("mean_s", [0.1, 0.5, 1.0])
def test_fifty_kills_at_random_moments_convict_no_record(mean_s):
    # A batch takes a second, and the killer mostly comes before: the worst case there is.
    for seed in range(100):
        killer = Killer(seed, mean_s)
        suspicion, position, end = Suspicion(), 0, 100
        while killer.kills < 50:
            in_lull = suspicion.lull_s if suspicion.suspect_end is not None else 0.0
            if killer.strikes_within(in_lull) is not None:
                suspicion, end = suspicion.cleared(), 100
                continue
            at = killer.strikes_within(1.0)
            if at is None:
                suspicion, position, end = Suspicion(), 0, 100
            else:
                suspicion, end = died(suspicion, position, end, end - position, flight_s=at)
            assert not suspicion.is_convicted
