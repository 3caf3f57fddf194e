"""A backtest of a system that is known exactly: a random walk, and those who know it worse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from despatch import (
    Backtest,
    HistoryError,
    ReplicationError,
    SettingsError,
    Snapshot,
    backtest,
)
from random_walks import LENGTH, Walks

SETTINGS: dict[str, Any] = {
    "name": "walk",
    "model": "random_walks:build",
    "seed": 42,
    "forecast": {
        "horizon": "5s",
        "every": "2s",
        "replications": 50,
        "watch": [{"telemetry": "Walk.place", "name": "place"}],
    },
    "executor": "inline",
}
AHEAD = [2.0, 4.0, 5.0]


def settings(**parameters: Any) -> dict[str, Any]:
    return {**SETTINGS, "parameters": parameters}


INLINE = """
import asyncio
from pydantic import BaseModel
from despatch.interfaces import Executor

class Settings(BaseModel): ...

class Inline(Executor):
    "Performs tasks in a thread of this process."
    Settings = Settings
    workers = 1
    async def open(self): ...
    async def run(self, task):
        return await asyncio.to_thread(task.perform)
    async def close(self): ...
"""


@pytest.fixture(autouse=True)
def inline(install: Callable[..., Any]) -> None:
    points = "[despatch.executors]\ninline = inline_executor:Inline\n"
    install("acme-inline", points, modules={"inline_executor": INLINE})


@cache
def _right() -> Backtest:
    return backtest(SETTINGS, Walks())


@pytest.fixture
def right() -> Backtest:
    return _right()


class TestScores:
    def test_there_is_one_for_each_figure_and_time_ahead(self, right: Backtest) -> None:
        assert [(each.figure, each.ahead_s) for each in right.scores] == [
            ("place", ahead) for ahead in AHEAD
        ]
        assert {each.count for each in right.scores} == {200}
        assert len(right.forecasts) == 600

    def test_bands_hold_as_often_as_they_promise_where_the_model_is_right(
        self, right: Backtest
    ) -> None:
        for score in right.scores:
            for each in score.coverage:
                # A band of 50 values is narrower than it says, by 49 to 51 of its level.
                assert each.low < each.level * 49 / 51 < each.high
            assert score.bias.low < 0 < score.bias.high

    def test_the_crps_is_that_of_the_normal_distribution(self, right: Backtest) -> None:
        for score in right.scores:
            # Of a normal distribution that is right: Gneiting and Raftery 2007, section 4.2. Steps
            # that are seen are one less than seconds.
            std = math.sqrt(max(1, score.ahead_s - 1))
            assert score.crps == pytest.approx(std / math.sqrt(math.pi), rel=0.15)
            # No model is as far off as the walk goes: by sqrt(2 / pi) of its deviation.
            assert score.naive_crps == pytest.approx(std * math.sqrt(2 / math.pi), rel=0.15)
            assert score.skill == pytest.approx(1 - math.sqrt(0.5), abs=0.1)

    def test_who_is_too_sure_holds_too_little(self, right: Backtest) -> None:
        sure = backtest(settings(**{"Walk.step.std": 0.4}), Walks(), replications=30)
        for score, better in zip(sure.scores, right.scores, strict=True):
            assert all(each.high < each.level for each in score.coverage)
            assert score.crps > better.crps
            assert score.pit[0] + score.pit[-1] > 0.35
            assert all(a < b for a, b in zip(score.width, better.width, strict=True))

    def test_who_expects_too_much_is_told_by_how_much(self) -> None:
        high = backtest(settings(**{"Walk.step.mean": 1.0}), Walks(100), replications=30)
        score = high.score("place")
        assert score.ahead_s == 5.0
        assert score.bias.mean == pytest.approx(4.0, abs=0.7)  # four steps
        assert score.bias.low > 0


class TestForecasts:
    def test_each_says_what_was_forecast_and_what_came(self, right: Backtest) -> None:
        history = Walks()
        first = right.forecasts[:3]
        instant = history.instants[0]
        assert [each.instant for each in first] == [instant] * 3
        assert [each.actual for each in first] == history.actual(instant, AHEAD)["place"]
        assert {each.naive for each in first} == {history.places[instant][0]}
        for each in right.forecasts:
            assert sorted(each.low, reverse=True) == each.low
            assert each.low[-1] <= each.mean <= each.high[-1]
            assert 0 <= each.below <= each.not_above <= 1

    def test_what_was_not_recorded_is_not_scored(self) -> None:
        class Broken(Walks):
            def actual(self, instant: datetime, ahead_s: Sequence[float]) -> Any:
                values = [*super().actual(instant, ahead_s)["place"]]
                if instant == self.instants[1] and len(values) > 2:
                    values[2] = math.nan
                return {"place": values}

        found = backtest(SETTINGS, Broken(4), replications=5)
        assert [each.count for each in found.scores] == [4, 4, 3]

    def test_nobody_has_to_say_anything_without_a_model(self) -> None:
        class Silent(Walks):
            def naive(self, instant: datetime, ahead_s: Sequence[float]) -> Any:
                return {}

        found = backtest(SETTINGS, Silent(3), replications=5)
        assert found.score("place").skill is None
        assert found.forecasts[0].naive is None


class TestAgain:
    def test_is_the_same_by_any_number_of_workers(self) -> None:
        one = backtest(SETTINGS, Walks(3), replications=6)
        two = backtest(SETTINGS, Walks(3), replications=6, executor={"name": "local", "workers": 2})
        assert one.to_json() == two.to_json()

    def test_another_seed_is_another_forecast_of_the_same(self) -> None:
        one, other = (backtest(SETTINGS, Walks(3), replications=5, seed=i) for i in (1, 2))
        assert (one.seed, other.seed) == (1, 2)
        assert [each.actual for each in one.forecasts] == [each.actual for each in other.forecasts]
        assert [each.mean for each in one.forecasts] != [each.mean for each in other.forecasts]

    def test_a_sample_is_some_of_the_same_forecasts(self) -> None:
        whole = backtest(SETTINGS, Walks(6), replications=5)
        some = backtest(SETTINGS, Walks(6), replications=5, sample=2)
        instants = whole.forecasts[0].instant, whole.forecasts[-1].instant
        assert [each.instant for each in some.forecasts[::3]] == [
            instants[0] + timedelta(minutes=1),
            instants[0] + timedelta(minutes=4),
        ]
        assert [each for each in whole.forecasts if each in some.forecasts] == some.forecasts

    def test_instants_do_not_share_their_luck(self) -> None:
        class Still(Walks):
            def __init__(self) -> None:
                super().__init__(2)
                self.places = dict.fromkeys(self.instants_, [0.0] * (LENGTH + 1))

        first, second = (
            [each.mean for each in backtest(SETTINGS, Still(), replications=5).forecasts][i : i + 3]
            for i in (0, 3)
        )
        assert first != second

    def test_json_has_all_of_it(self, right: Backtest) -> None:
        read = json.loads(right.to_json())
        assert read["scores"][0]["coverage"][0]["level"] == 0.5
        assert len(read["forecasts"]) == 600
        assert read["forecasts"][0]["instant"] == "2026-01-05T06:00:00Z"


class TestWhatIsWrong:
    def changed(self, **said: Any) -> Walks:
        history = Walks(3)
        for name, value in said.items():
            setattr(history, name, value)
        return history

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ({"instants_": []}, "instants: expected at least one"),
            ({"instants_": [datetime(2026, 1, 5)]}, "instants: expected times with an offset"),
            ({"instants_": ["monday"]}, "instants: expected times with an offset .* 'monday'"),
            ({"instants_": Walks(3).instants[::-1]}, "instants: expected them in order"),
            ({"places": {}}, r"snapshot\(2026-01-05T06:00:00\+00:00\) raised KeyError"),
            ({"snapshot": lambda instant: {"place": 1}}, r"snapshot\(.*: expected a Snapshot"),
            (
                {"snapshot": lambda instant: Snapshot(taken_at=instant + timedelta(seconds=1))},
                "expected it to be taken at that instant, and it was at 2026-01-05T06:00:01",
            ),
            ({"actual": lambda instant, ahead: None}, r"actual\(.*: expected figures by name"),
            (
                {"actual": lambda instant, ahead: {"way": [0.0] * len(ahead)}},
                "there is no place; there are none",
            ),
            ({"actual": lambda instant, ahead: {"place": [0.0]}}, "place: expected 3 numbers"),
            (
                {"actual": lambda instant, ahead: {"place": [math.inf] * len(ahead)}},
                "place: expected 3 numbers",
            ),
            ({"naive": lambda instant, ahead: {"place": ["a"] * 3}}, r"naive\(.*expected 3 num"),
        ],
    )
    def test_a_history_that_does_not_give_what_it_should_is_told_what_it_gave(
        self, said: Mapping[str, Any], message: str
    ) -> None:
        with pytest.raises(HistoryError, match=message):
            backtest(SETTINGS, self.changed(**said))

    def test_settings_that_name_no_history(self) -> None:
        with pytest.raises(SettingsError, match=r"backtest\.history: is required"):
            backtest(SETTINGS)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nowhere:history", "there is no module 'nowhere'"),
            ("random_walks:histori", "did you mean 'history'"),
            ("random_walks:no_history", "expected a History, got .*last year"),
            ("random_walks:build", "random_walks:build raised TypeError"),
        ],
    )
    def test_a_history_that_is_not_there(self, name: str, message: str) -> None:
        with pytest.raises(HistoryError, match=f"history {name}: .*{message}|{message}"):
            backtest({**SETTINGS, "backtest": {"history": name}})

    def test_a_history_that_settings_name_is_taken(self) -> None:
        named = {**SETTINGS, "backtest": {"history": "random_walks:history"}}
        assert backtest(named, replications=2).instants == 12

    def test_nothing_that_is_watched(self) -> None:
        nothing = {**SETTINGS, "forecast": {"horizon": "5s"}}
        with pytest.raises(SettingsError, match=r"forecast\.watch: is required"):
            backtest(nothing, Walks(2))

    @pytest.mark.parametrize(
        "levels", [[], [0.9, 0.5], [0.5, 0.5], [1.0], [90]], ids=lambda levels: f"levels {levels}"
    )
    def test_levels_that_are_none(self, levels: list[float]) -> None:
        with pytest.raises(SettingsError, match=r"backtest\.levels"):
            backtest(SETTINGS, Walks(2), levels=levels)

    def test_what_the_model_raises(self) -> None:
        with pytest.raises(ReplicationError, match="no such way"):
            backtest({**SETTINGS, "model": "random_walks:raises"}, Walks(2), replications=2)

    def test_scores_that_there_are_not(self, right: Backtest) -> None:
        with pytest.raises(KeyError, match="no such forecasts; there are place"):
            right.score("way")
        with pytest.raises(KeyError):
            right.score("place", 3.0)
