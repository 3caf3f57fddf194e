"""The loan desk's forecasts, scored by what really came: twenty of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pace import fit_pace
from past import Past
from work import read_work

from despatch import Backtest, backtest
from loan_desk_logs import LOAN_DESK

SAMPLE = 20


@pytest.fixture(scope="module")
def found(loan_desk_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    work = read_work(loan_desk_log)
    pace = fit_pace(work, date(2011, 12, 31))
    path = tmp_path_factory.mktemp("pace") / "pace.json"
    path.write_text(pace.model_dump_json(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAN_DESK_PACE", str(path))
        return backtest(
            LOAN_DESK / "backtest.yaml",
            Past(work, pace),
            replications=60,
            every="4h",
            sample=SAMPLE,
        )


@pytest.mark.parametrize("figure", ["open", "done"])
def test_forecasts_are_better_than_none_and_hold_most_of_what_came(
    found: Backtest, figure: str
) -> None:
    for ahead_s in (4 * 3600.0, 8 * 3600.0):
        score = found.score(figure, ahead_s)
        assert score.count == SAMPLE
        fifty, eighty, ninety = score.coverage
        assert ninety.covered >= 13
        assert 4 <= fifty.covered <= eighty.covered <= ninety.covered
        assert score.skill is not None
        assert score.skill > 0.1
        assert abs(score.bias.mean) < 0.15 * score.actual


def test_all_forecasts_begin_with_what_was_open(found: Backtest) -> None:
    # After so short a time at night, hardly anything has changed, in reality and in the model.
    at_night = [each for each in found.forecasts if each.instant.hour in (0, 1)]
    cases = [each for each in at_night if each.figure == "open"]
    assert cases
    for each in cases:
        assert each.naive == pytest.approx(each.mean, abs=10)
