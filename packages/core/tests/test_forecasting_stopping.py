"""When a forecast is exact enough, and that looking more than once is made up for."""

from __future__ import annotations

import numpy as np
import pytest

from despatch.forecasting.figures import Figure
from despatch.forecasting.outlook import Outlook
from despatch.forecasting.stopping import confidence_of_a_look, is_exact_enough, looks
from despatch.settings.forecast import PrecisionSettings

QUEUE = Figure(name="queue", kind="telemetry", of="q", above=2.0)


def outlook(values, confidence=0.95, figure=QUEUE):
    return Outlook(figure, np.array(values, dtype=float), (), confidence)


def precision(**given):
    return PrecisionSettings.model_validate(given)


def test_without_a_precision_there_is_one_look():
    assert looks(None, 200) == [200]


def test_looks_are_few_and_each_is_half_as_far_again():
    assert looks(precision(mean=1), 200) == [30, 45, 68, 102, 153, 200]
    assert looks(precision(mean=1, at_least=50), 50) == [50]
    assert looks(precision(mean=1, at_least=300), 200) == [200]
    assert len(looks(precision(mean=1), 1_000_000)) < 30


def test_what_can_go_wrong_is_shared_out_among_the_looks():
    assert confidence_of_a_look(0.95, 1) == pytest.approx(0.95)
    assert confidence_of_a_look(0.95, 5) == pytest.approx(0.99)


def test_it_is_the_last_grid_point_that_counts():
    wide, narrow = [[0, 10.0], [100, 10.1], [-100, 9.9]], [[10.0, 0], [10.1, 100], [9.9, -100]]
    assert is_exact_enough([outlook(wide)], precision(mean=1))
    assert not is_exact_enough([outlook(narrow)], precision(mean=1))
    assert not is_exact_enough([outlook(wide), outlook(narrow)], precision(mean=1))


def test_a_share_is_of_the_true_mean():
    # t(0.95, 3) = 3.1824; half of the width is 3.1824 * 1.1547 / 2 = 1.8373.
    found = [outlook([[9.0], [9.0], [11.0], [11.0]])]
    assert is_exact_enough(found, precision(mean=1.84))
    assert not is_exact_enough(found, precision(mean=1.83))
    # 0.225 / 1.225 = 0.1837 of 10
    assert is_exact_enough(found, precision(mean="22.6%"))
    assert not is_exact_enough(found, precision(mean="22.4%"))


def test_figures_may_have_their_own_targets_or_none():
    exact = outlook([[1.0], [1.0]])
    vague = outlook([[1.0], [50.0]], figure=Figure(name="other", kind="telemetry", of="o"))
    assert is_exact_enough([exact, vague], precision(mean={"queue": 0.5}))
    assert not is_exact_enough([exact, vague], precision(mean={"queue": 0.5, "other": "5%"}))


def test_a_probability_has_a_target_of_its_own():
    found = [outlook([[value] for value in [1.0] * 90 + [3.0] * 10])]
    # Wilson: 0.0552 to 0.1744.
    assert is_exact_enough(found, precision(probability=0.06))
    assert not is_exact_enough(found, precision(probability=0.059))


@pytest.mark.parametrize("values", [[[np.nan], [np.nan]], [[np.nan], [1.0]]])
def test_what_has_no_value_is_not_exact(values):
    assert not is_exact_enough([outlook(values)], precision(mean=1e9))


def stop(random, target, confidence):
    """Where it stops: the mean and its interval."""
    stops = looks(precision(mean=target), 500)
    values = random.exponential(size=(500, 1))
    for count in stops:
        found = outlook(values[:count], confidence(len(stops)))
        if is_exact_enough([found], precision(mean=target)):
            break
    return found.estimate_at(-1)


def test_the_interval_where_it_stops_covers_as_often_as_it_says():
    random = np.random.default_rng(11)
    estimates = [stop(random, 0.2, lambda n: confidence_of_a_look(0.9, n)) for _ in range(600)]
    assert np.mean([each.low <= 1.0 <= each.high for each in estimates]) >= 0.9
    # To stop at the first look that is narrow enough, with no more than that, is not honest.
    naive = [stop(random, 0.2, lambda n: 0.9) for _ in range(600)]
    assert np.mean([each.low <= 1.0 <= each.high for each in naive]) < 0.87
