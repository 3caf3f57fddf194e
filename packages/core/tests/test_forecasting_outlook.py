"""What many replications say of a figure: known values, and how often intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from despatch.forecasting.figures import Figure
from despatch.forecasting.outlook import Comparison, Outlook

QUEUE = Figure(name="queue", kind="telemetry", of="Desk.queue", above=2.0, below=1.0)
NAN = math.nan


def outlook(rows, figure=QUEUE, quantiles=(0.25, 0.5), confidence=0.9):
    return Outlook(figure, np.array(rows, dtype=float), quantiles, confidence)


def test_the_mean_has_its_interval_by_students_t():
    found = outlook([[1, 5], [2, 5], [3, 5], [4, 5]])
    assert found.mean.tolist() == [2.5, 5.0]
    # t(0.9, 3) = 2.353363; the standard deviation is 1.290994.
    assert found.half_width == pytest.approx([2.353363 * 1.290994 / 2, 0.0], rel=1e-6)


def test_quantiles_are_numpys():
    rows = np.random.default_rng(1).normal(size=(50, 3))
    found = outlook(rows, quantiles=(0.05, 0.5, 0.9))
    for share, band in found.bands.items():
        assert band.value == pytest.approx(np.quantile(rows, share, axis=0))
        assert (band.low <= band.value).all()
        assert (band.value <= band.high).all()


def test_too_few_replications_leave_the_ends_of_a_quantile_open():
    band = outlook([[1.0], [2.0]]).band(0.5)
    assert (band.value[0], band.low[0], band.high[0]) == (1.5, -math.inf, math.inf)


def test_a_replication_without_a_value_is_left_out_there():
    found = outlook([[NAN, 1.0], [2.0, 3.0], [NAN, NAN]])
    assert found.count.tolist() == [1, 2]
    assert found.mean.tolist() == [2.0, 2.0]
    assert math.isnan(found.half_width[0])
    assert found.band(0.5).value.tolist() == [2.0, 2.0]
    assert outlook([[NAN], [NAN]]).estimates == [None]
    assert math.isnan(outlook([[NAN], [NAN]]).band(0.5).value[0])
    assert math.isnan(outlook([[NAN], [NAN]]).mean[0])


def test_crossing_is_by_each_grid_point_and_at_it():
    found = outlook([[0, 3, 1], [2, 2, 2], [0, 0, 3], [0, 0, 0]]).crossings
    above = found["above"]
    assert (above.side, above.limit) == ("above", 2.0)
    assert above.value.tolist() == [0.0, 0.25, 0.5]
    assert above.at.value.tolist() == [0.0, 0.25, 0.25]
    assert found["below"].value.tolist() == [0.75, 0.75, 0.75]
    assert found["below"].at.value.tolist() == [0.75, 0.5, 0.25]
    assert (above.low <= above.value).all()
    assert (above.value <= above.high).all()


def test_a_limit_is_not_crossed_by_being_reached():
    found = outlook([[2.0, 1.0], [2.0, 1.0]])
    assert found.crossings["above"].value.tolist() == [0.0, 0.0]
    assert found.crossings["below"].value.tolist() == [0.0, 0.0]
    assert found.crossing("above", 0.5).value.tolist() == [1.0, 1.0]


def test_wrong_questions_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1, not 1"):
        outlook([[1.0]]).band(1)
    with pytest.raises(ValueError, match="expected 'above' or 'below', not 'over'"):
        outlook([[1.0]]).crossing("over", 1.0)


def test_scenarios_are_compared_replication_by_replication():
    base = outlook([[1, 10], [2, 20], [3, 30]])
    other = outlook([[0, 11], [1, 21], [3, 31]])
    found = Comparison.of("two", other, base)
    assert [each.mean for each in found.estimates] == [pytest.approx(-2 / 3), 1.0]
    # As exact as the differences are, and not as the values are.
    assert found.estimates[1].half_width == 0.0
    assert found.lower.value.tolist() == [pytest.approx(2 / 3), 0.0]
    assert found.higher.value.tolist() == [0.0, 1.0]


def test_the_bands_intervals_cover_as_often_as_they_say():
    random = np.random.default_rng(5)
    found = Outlook(QUEUE, random.exponential(size=(80, 1500)), (0.25, 0.9), 0.9)
    for share, band in found.bands.items():
        true = -math.log(1 - share)
        assert 0.9 <= np.mean((band.low <= true) & (true <= band.high)) <= 0.96
    # The mean of 80 values that are far from normal: a little less.
    error = np.abs(found.mean - 1.0)
    assert 0.87 <= np.mean(error <= found.half_width) <= 0.93
