from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.distributions.gamma_tail import gamma_log_survival, gamma_remaining


# What mpmath 1.4 makes of the definitions with 50 digits, here and below.
@pytest.mark.parametrize(
    ("shape", "x", "expected"),
    [
        (0.05, 1e-06, -0.72325171800973009197),
        (0.3, 0.2, -1.0715032543768821021),
        (0.5, 30.0, -32.288987032704741763),
        (1.0, 3.0, -3.0),
        (2.5, 1.0, -0.16352527559465034458),
        (2.5, 200.0, -192.32971624174403664),
        (10.0, 9.0, -0.53203522502169271116),
        (100.0, 60.0, -1.4815287301091938839e-6),
        (100.0, 500.0, -243.66796864643577343),
        (10000.0, 10400.0, -10.155026191190604815),
    ],
)
def test_the_survival_function_is_exact_in_the_far_tail_too(shape, x, expected) -> None:
    assert gamma_log_survival(shape, x) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("shape", "t", "e", "expected"),
    [
        (0.3, 0.0, 0.7, 0.0749091243989366415),
        (0.3, 2.0, 0.7, 0.565478640392806279),
        (0.5, 30.0, 1.5, 1.47669982871553444),
        (2.5, 0.0, 0.01, 0.276549207123979382),
        (2.5, 1.0, 0.5, 1.12133461704320269),
        (2.5, 200.0, 2.0, 2.01496197598749853),
        (10.0, 4.0, 5.0, 15.4958749791031945),
        (100.0, 0.0, 12.0, 149.896426136648504),
        (100.0, 90.0, 0.25, 5.7236608663222288),
        (100.0, 500.0, 1.0, 1.24574017536104325),
        (10000.0, 10000.0, 0.5, 51.4891035489859505),
    ],
)
def test_what_remains_is_the_inverse_of_the_survival_function(shape, t, e, expected) -> None:
    assert gamma_remaining(shape)(e, t) == pytest.approx(expected, rel=1e-9)


@given(
    shape=st.floats(0.05, 500.0),
    t=st.floats(0.0, 2000.0),
    e=st.floats(1e-6, 40.0),
)
def test_the_hazard_between_the_two_points_is_the_variate(shape, t, e) -> None:
    remains = gamma_remaining(shape)(e, t)
    between = gamma_log_survival(shape, t) - gamma_log_survival(shape, t + remains)
    # So much of it is lost where one number is hardly greater than the other.
    hazard_of_an_ulp = 8 * math.ulp(t + remains) * max(1.0, e / max(remains, 1e-300))
    rounding = 1e-13 * (1 + t + 6 * shape)
    assert between == pytest.approx(e, rel=1e-8, abs=hazard_of_an_ulp + rounding)


def test_no_variate_leaves_nothing_and_a_shape_of_1_is_the_exponential_distribution() -> None:
    assert gamma_remaining(2.5)(0.0, 3.0) == 0.0
    for t in (0.0, 0.3, 5.0, 700.0):
        assert gamma_remaining(1.0)(0.8, t) == pytest.approx(0.8, rel=1e-11)


def test_a_tiny_shape_ends_in_nothing_rather_than_in_an_error() -> None:
    assert gamma_remaining(1e-3)(1e-3, 0.0) < 1e-290
