"""The loan desk's own forecast: its pace, its history, and its model of the next hours."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import outlook
import pytest
from log import ZONE
from pace import FIRST_DAY, WORK, Pace, fit_pace, lately
from past import Past
from work import Hours, Work, hour_of_week, read_work

from despatch import DynamicEnvironment, Snapshot
from loan_desk_logs import COMPLETION, LEADS, MONDAY, busy_week, moment, row, write_log

DAY_S = 24 * 3600.0


@pytest.fixture(scope="module")
def real(loan_desk_log: Path) -> Work:
    return read_work(loan_desk_log)


@pytest.fixture(scope="module")
def pace(real: Work) -> Pace:
    return fit_pace(real, date(2011, 12, 31))


@pytest.fixture(scope="module")
def past(real: Work, pace: Pace) -> Past:
    return Past(real, pace)


@pytest.fixture
def pace_file(pace: Pace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pace.json"
    path.write_text(pace.model_dump_json(), encoding="utf-8")
    monkeypatch.setenv("LOAN_DESK_PACE", str(path))
    return path


class TestWork:
    def test_says_of_each_instant_what_waits_and_what_is_being_worked_on(
        self, tmp_path: Path
    ) -> None:
        rows = [
            row(moment(0, "08:00"), "1", LEADS, "SCHEDULE"),
            row(moment(0, "09:00"), "1", LEADS, "START", "ann"),
            row(moment(0, "09:05"), "1", COMPLETION, "SCHEDULE", "ann"),
            row(moment(0, "09:10"), "1", LEADS, "COMPLETE", "ann"),
            row(moment(0, "09:11"), "1", COMPLETION, "START", "ann"),
            row(moment(0, "09:20"), "1", COMPLETION, "COMPLETE", "ann"),
            row(moment(0, "11:00"), "1", COMPLETION, "START", "bob"),
        ]
        work = read_work(write_log(tmp_path, rows))

        def at(clock: str) -> tuple[list[str], list[str]]:
            now = moment(0, clock).timestamp()
            waiting = [each.activity for each in work.waiting(now)]
            return waiting, [each.activity for each in work.in_hand(now)]

        assert at("07:59") == ([], [])
        assert at("08:30") == (["leads"], [])
        assert at("09:07") == (["completion"], ["leads"])
        assert at("09:15") == ([], ["completion"])
        assert at("10:00") == ([], [])
        assert at("12:00") == ([], ["completion"])
        assert [each.kind for each in work.spells] == ["first", "first", "again"]
        assert work.spells[0].follow_ups == ["completion"]

    def test_begun_within_five_minutes_it_has_not_waited(self, tmp_path: Path) -> None:
        rows = [
            row(moment(0, "08:00"), "1", LEADS, "SCHEDULE"),
            row(moment(0, "08:04"), "1", LEADS, "START", "ann"),
        ]
        (spell,) = read_work(write_log(tmp_path, rows)).spells
        assert spell.kind == "at_once"

    def test_a_turn_that_is_started_twice_is_one_that_ended_without_being_done(
        self, tmp_path: Path
    ) -> None:
        rows = [
            row(moment(0, "08:00"), "1", LEADS, "START", "ann"),
            row(moment(0, "08:10"), "1", LEADS, "START", "bob"),
            row(moment(0, "08:20"), "1", LEADS, "COMPLETE", "bob"),
            row(moment(0, "08:30"), "1", LEADS, "COMPLETE", "bob"),
        ]
        first, second = read_work(write_log(tmp_path, rows)).spells
        assert (first.ended, first.is_done) == (second.began, False)
        assert (second.ended, second.is_done) == (moment(0, "08:20").timestamp(), True)

    def test_any_other_table_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "log.csv"
        path.write_text("when,who\n", encoding="utf-8")
        with pytest.raises(ValueError, match="expected a log with the columns activity"):
            read_work(path)


class TestHours:
    def test_know_their_place_in_the_week_also_when_the_clocks_change(self) -> None:
        hours = Hours(date(2011, 10, 29), 2 * 24 + 1)  # the night to the 30th has one hour more
        assert [int(each) for each in hours.of_week[24:30]] == [144, 145, 146, 146, 147, 148]
        assert hours.ended - hours.began == 2 * DAY_S + 3600
        assert [*hours.day[[0, 23, 24, 48]]] == [0, 0, 1, 1]

    def test_a_holiday_is_a_sunday(self) -> None:
        assert hour_of_week(datetime(2011, 12, 26, 10, tzinfo=ZONE)) == 6 * 24 + 10
        assert hour_of_week(datetime(2011, 12, 27, 10, tzinfo=ZONE)) == 24 + 10

    def test_count_and_add_up_what_is_in_them(self) -> None:
        hours = Hours(MONDAY, 3)
        began = hours.began
        assert [*hours.count([began - 1, began, began + 3599, began + 7200])] == [2, 0, 1]
        spans = [(began - 900, began + 900), (began + 1800, began + 9000), (began, began)]
        assert [*hours.spent(spans)] == pytest.approx([0.75, 1.0, 0.5])


class TestPace:
    def test_is_fitted_to_nothing_after_its_last_day(self, loan_desk_log: Path, pace: Pace) -> None:
        shorter = read_work(loan_desk_log, until=datetime(2012, 1, 1, tzinfo=ZONE))
        assert fit_pace(shorter, date(2011, 12, 31)) == pace

    def test_expects_of_the_fitted_weeks_what_there_was(self, real: Work, pace: Pace) -> None:
        hours = Hours(FIRST_DAY, 11 * 7 * 24 + 1 - 24)
        for name in WORK:
            expected = sum(pace.profiles[f"again.{name}"][each] for each in hours.of_week)
            turns = [e for e in real.spells if e.activity == name and e.kind == "again"]
            happened = sum(each.began in hours for each in turns)
            assert expected == pytest.approx(happened, rel=0.02)

    def test_days_differ_by_more_than_chance_where_they_do(self, pace: Pace) -> None:
        weekdays = pace.days["weekday"]
        assert len(weekdays) == 54  # of eleven weeks, without Boxing Day
        spread = {name: np.std([day[name] for day in weekdays]) for name in weekdays[0]}
        assert spread["again.offer_calls"] > 0.2
        assert spread["came.fraud"] < 0.2  # one in two days: its counts are chance

    def test_the_desk_is_closed_at_night_and_on_most_of_the_weekend(self, pace: Pace) -> None:
        closed = [hour for hour in range(24) if pace.closed[24 + hour]]
        assert closed == [0, 1, 2, 3, 4, 5, 22, 23]
        assert not any(pace.closed[5 * 24 + 10 : 5 * 24 + 17])

    def test_the_level_lately_is_one_where_the_week_was_as_usual(self, tmp_path: Path) -> None:
        weeks = []
        for week in range(3):
            for at, case, *rest in busy_week():
                then = datetime.fromisoformat(at) + timedelta(weeks=week)
                weeks.append([then.isoformat(), f"{week}-{case}", *rest])
        work = read_work(write_log(tmp_path, weeks))
        fitted = fit_pace(work, MONDAY + timedelta(days=20), MONDAY)
        now = moment(20, "12:00").timestamp()
        levels = lately(work, fitted, now)
        assert levels["came.leads"] == pytest.approx(1)
        assert levels["first.leads"] == pytest.approx(1, abs=0.1)
        work.came["leads"] += [at + 60 for at in work.came["leads"]]
        assert lately(work, fitted, now)["came.leads"] == pytest.approx(2)

    def test_less_than_a_week_is_too_little(self, tmp_path: Path) -> None:
        work = read_work(write_log(tmp_path, busy_week()))
        with pytest.raises(ValueError, match="expected a week or more from 2011-11-14"):
            fit_pace(work, MONDAY + timedelta(days=5), MONDAY)


class TestPast:
    def test_is_frozen_in_january_and_february_at_all_hours_alike(self, past: Past) -> None:
        instants = past.instants
        assert len(instants) == 111
        assert instants[0] == datetime(2012, 1, 1, tzinfo=ZONE)
        assert instants[-1] + timedelta(hours=8) <= datetime(2012, 3, 1, tzinfo=ZONE)
        hours = np.bincount([each.hour for each in instants], minlength=24)
        assert set(hours) <= {4, 5}

    def test_its_snapshots_depend_on_nothing_that_came_later(
        self, loan_desk_log: Path, past: Past
    ) -> None:
        for instant in past.instants[7::40]:
            known = Past(read_work(loan_desk_log, until=instant), past.pace)
            assert known.snapshot(instant) == past.snapshot(instant)
            week = [3600.0, 8 * 3600.0]
            assert known.naive(instant, week) == past.naive(instant, week)
            assert known.actual(instant, week) != past.actual(instant, week)

    def test_what_is_open_is_what_the_snapshot_has(self, past: Past) -> None:
        for instant in past.instants[::20]:
            snapshot = past.snapshot(instant)
            waiting = sum(len(each.items) for each in snapshot.stores.values())
            in_hand = sum(len(each.in_service) for each in snapshot.resources.values())
            assert past.actual(instant, [0.0]) == {"open": [waiting + in_hand], "done": [0.0]}

    def test_days_that_the_pace_is_fitted_to_are_refused(self, real: Work, pace: Pace) -> None:
        with pytest.raises(ValueError, match="expected instants from 2012-01-01 on"):
            Past(real, pace, datetime(2011, 12, 31, 23, tzinfo=ZONE))


class TestOutlook:
    def open_after(self, env: DynamicEnvironment, snapshot: Snapshot, hours: float) -> list[float]:
        told: list[float] = []
        publish = env.publish_telemetry

        def listen(path: str, value: float) -> None:
            told.append(value)
            publish(path, value)

        env.publish_telemetry = listen  # type: ignore[method-assign]
        outlook.resume(env, snapshot)
        env.run(env.now + hours * 3600)
        return told

    def test_begins_with_what_is_open(self, past: Past, pace_file: Path) -> None:
        instant = past.instants[30]
        env = DynamicEnvironment(start=instant, seed=1)
        told = self.open_after(env, past.snapshot(instant), 1)
        assert told[0] == past.actual(instant, [0.0])["open"][0]

    def test_nothing_comes_and_nothing_is_begun_where_all_levels_are_0(
        self, past: Past, pace_file: Path
    ) -> None:
        instant = next(each for each in past.instants if each.hour == 10)
        snapshot = past.snapshot(instant)
        still = dict.fromkeys(snapshot.parameters, 0.0)
        still |= {f"Desk.lately.first.{name}": 0.0 for name in WORK}
        snapshot = snapshot.model_copy(update={"parameters": still})
        waiting = sum(len(each.items) for each in snapshot.stores.values())
        env = DynamicEnvironment(start=instant, seed=1)
        told = self.open_after(env, snapshot, 4)
        assert len(set(told)) > 1  # those who were at work put it aside
        assert min(told) >= waiting

    def test_twice_the_level_is_twice_the_work(self, past: Past, pace_file: Path) -> None:
        instant = next(each for each in past.instants if each.hour == 10 and each.weekday() < 5)
        snapshot = past.snapshot(instant)
        doubled = {path: 2 * level for path, level in snapshot.parameters.items()}
        done = []
        for parameters in (snapshot.parameters, doubled):
            scaled = snapshot.model_copy(update={"parameters": parameters})
            env = DynamicEnvironment(start=instant, seed=1)
            done.append(len(self.open_after(env, scaled, 6)))
        assert 1.4 < done[1] / done[0] < 2.2

    def test_without_the_file_it_says_what_is_missing(
        self, past: Past, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LOAN_DESK_PACE", raising=False)
        with pytest.raises(ValueError, match="set LOAN_DESK_PACE"):
            outlook.build(DynamicEnvironment(start=past.instants[0]))
