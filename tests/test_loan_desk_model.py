"""The loan desk's model and its reading of the log, on small logs made up for it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from events import LOG, Loan, WorkItem, loan_of
from log import Window, read_log
from model import build, desk_of
from staffing import heads_by_hour, pauses, service_times

from despatch import Constant, DynamicEnvironment, Empirical
from despatch.value_types import value_type_of
from loan_desk_logs import (
    ASSESSMENT,
    COMPLETION,
    HOUR_S,
    LEADS,
    MONDAY,
    busy_week,
    moment,
    one_application,
    read_records,
    row,
    run_days,
    run_week,
    work_items,
    write_log,
)


class TestLog:
    def test_start_and_complete_make_a_turn_and_schedule_says_since_when(
        self, tmp_path: Path
    ) -> None:
        (application,) = read_log(write_log(tmp_path, one_application())).applications
        first, again, call = application.turns
        assert application.arrived == moment(0, "08:00")
        assert (first.due, first.start, first.end) == (
            moment(0, "08:01"),
            moment(0, "09:00"),
            moment(0, "09:10"),
        )
        assert (first.activity, first.staff, first.seconds) == ("completion", "ann", 600)
        assert not first.is_call_back
        assert (again.is_call_back, again.due) == (True, again.start)
        assert (call.is_call_back, call.activity) == (True, "offer_calls")

    def test_a_gzipped_log_reads_the_same(self, tmp_path: Path) -> None:
        plain = read_log(write_log(tmp_path, one_application()))
        assert read_log(write_log(tmp_path, one_application(), "log.csv.gz")) == plain

    def test_rows_without_a_partner_are_left_out(self, tmp_path: Path) -> None:
        rows = [
            row(moment(0, "08:00"), "1", COMPLETION, "COMPLETE", "ann"),
            row(moment(0, "09:00"), "1", LEADS, "SCHEDULE", "ann"),
            row(moment(0, "10:00"), "1", ASSESSMENT, "START", "ann"),
            row(moment(0, "11:00"), "1", "W_Wijzigen contractgegevens", "SCHEDULE", "ann"),
        ]
        assert read_log(write_log(tmp_path, rows)).turns == ()

    def test_work_that_is_scheduled_again_while_it_is_served_waits_from_then_on(
        self, tmp_path: Path
    ) -> None:
        rows = [
            *one_application()[:4],
            row(moment(0, "09:09"), "1", COMPLETION, "SCHEDULE", "ann"),
            row(moment(0, "09:20"), "1", COMPLETION, "START", "bob"),
            row(moment(0, "09:30"), "1", COMPLETION, "COMPLETE", "bob"),
        ]
        _, second = read_log(write_log(tmp_path, rows)).turns
        assert (second.due, second.is_call_back) == (moment(0, "09:09"), False)

    def test_a_table_that_is_no_log_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "other.csv"
        path.write_text("a,b\n1,2\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"other\.csv: expected a log with the columns"):
            read_log(path)

    def test_a_log_without_amounts_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "old.csv"
        path.write_text("timestamp,case,activity,lifecycle,resource\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"old\.csv: .* the columns amount$"):
            read_log(path)

    def test_an_application_has_the_amount_it_is_for(self, tmp_path: Path) -> None:
        (application,) = read_log(write_log(tmp_path, one_application())).applications
        assert application.amount == Decimal(5000)

    def test_a_week_without_work_is_refused(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        with pytest.raises(ValueError, match="2011-11-21"):
            log.week(date(2011, 11, 21))

    def test_days_begin_and_end_at_midnight(self, tmp_path: Path) -> None:
        week = read_log(write_log(tmp_path, one_application())).week(MONDAY)
        assert (week.start, week.end) == (moment(0, "00:00"), moment(7, "00:00"))
        assert moment(6, "23:59") in week
        assert moment(7, "00:00") not in week
        assert week.hours == 168

    def test_the_whole_log_is_from_its_first_application_to_its_last_turn(
        self, tmp_path: Path
    ) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        assert log.window() == Window.of_days(MONDAY, MONDAY + timedelta(days=1))
        assert log.window(MONDAY, MONDAY).end == moment(1, "00:00")

    def test_a_log_without_work_has_no_window(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, []))
        with pytest.raises(ValueError, match="no work"):
            log.window()

    def test_the_day_on_which_clocks_are_set_back_has_an_hour_more(self) -> None:
        window = Window.of_days(date(2011, 10, 30), date(2011, 10, 30))
        assert window.hours == 25
        assert window.start == datetime(2011, 10, 29, 22, tzinfo=UTC)
        assert window.end == datetime(2011, 10, 30, 23, tzinfo=UTC)


class TestStaffing:
    def test_people_count_in_every_hour_they_work_in(self, tmp_path: Path) -> None:
        rows = [
            row(moment(0, "09:50"), "1", COMPLETION, "START", "ann"),
            row(moment(0, "10:10"), "1", COMPLETION, "COMPLETE", "ann"),
            row(moment(0, "09:10"), "2", LEADS, "START", "ann"),
            row(moment(0, "09:20"), "2", LEADS, "COMPLETE", "ann"),
            row(moment(0, "09:30"), "3", ASSESSMENT, "START", "cid"),
            row(moment(1, "06:00"), "3", ASSESSMENT, "COMPLETE", "cid"),
        ]
        log = read_log(write_log(tmp_path, rows))
        heads = heads_by_hour(log, log.week(MONDAY))
        assert len(heads) == 168
        assert {hour: count for hour, count in enumerate(heads) if any(count.values())} == {
            9: {"calls": 1, "assessment": 1},
            10: {"calls": 1, "assessment": 0},
        }

    def test_work_of_nobody_in_particular_counts_for_as_many_as_there_were_at_once(
        self, tmp_path: Path
    ) -> None:
        spans = [("09:00", "09:20"), ("09:10", "09:30"), ("09:30", "09:40")]
        rows = [
            row(moment(0, at), str(number), LEADS, lifecycle)
            for number, (start, end) in enumerate(spans)
            for at, lifecycle in ((start, "START"), (end, "COMPLETE"))
        ]
        log = read_log(write_log(tmp_path, rows))
        assert heads_by_hour(log, log.week(MONDAY))[9]["calls"] == 2

    def test_a_person_belongs_to_the_team_whose_work_they_mostly_do(self, tmp_path: Path) -> None:
        rows = []
        for number, activity in enumerate([ASSESSMENT, ASSESSMENT, LEADS]):
            rows.append(row(moment(number, "09:00"), "1", activity, "START", "cid"))
            rows.append(row(moment(number, "09:30"), "1", activity, "COMPLETE", "cid"))
        log = read_log(write_log(tmp_path, rows))
        assert heads_by_hour(log, log.week(MONDAY))[2 * 24 + 9] == {"calls": 0, "assessment": 1}

    def test_turns_left_open_over_night_are_no_measure_of_work(self, tmp_path: Path) -> None:
        rows = [
            *one_application(),
            row(moment(2, "17:00"), "1", COMPLETION, "START", "ann"),
            row(moment(3, "09:00"), "1", COMPLETION, "COMPLETE", "ann"),
        ]
        times = service_times(read_log(write_log(tmp_path, rows)))
        assert times == {"completion": [600, 360], "offer_calls": [180]}

    def test_only_pauses_of_less_than_an_hour_are_pauses(self, tmp_path: Path) -> None:
        rows = [
            *one_application(),
            row(moment(0, "11:20"), "2", LEADS, "START", "ann"),
            row(moment(0, "11:30"), "2", LEADS, "COMPLETE", "ann"),
        ]
        assert pauses(read_log(write_log(tmp_path, rows))) == {"calls": [14 * 60]}


class TestEvents:
    def test_a_loan_has_the_same_id_in_every_run(self, tmp_path: Path) -> None:
        (application,) = read_log(write_log(tmp_path, one_application("173688"))).applications
        loan = loan_of(application)
        assert loan.id == uuid5(LOG, "173688") == UUID("16f54f76-9e02-5960-97de-08a4d3c38c41")
        assert (loan.case, loan.amount) == ("173688", Decimal(5000))
        assert loan.applied == moment(0, "08:00")

    def test_their_types_are_those_of_the_records_values(self) -> None:
        described = value_type_of(WorkItem)
        assert described is not None
        fields = {field.name: field for field in described.fields}
        assert fields["loan"].type_name == "Loan"
        loan = {field.name: field for field in fields["loan"].parts}
        assert loan["id"].kind == "uuid"
        assert (loan["amount"].kind, loan["amount"].precision, loan["amount"].scale) == (
            "decimal",
            10,
            2,
        )
        for moment_of in (loan["applied"], fields["due"]):
            assert (moment_of.kind, moment_of.zoned) == ("datetime", True)

    def test_an_amount_of_more_digits_than_a_sink_is_told_of_is_refused(self) -> None:
        with pytest.raises(ValueError, match="amount"):
            Loan(id=LOG, case="1", amount=Decimal("0.001"), applied=moment(0, "08:00"))


class TestModel:
    def test_service_times_and_pauses_are_those_of_the_log(self, tmp_path: Path) -> None:
        desk = desk_of(read_log(write_log(tmp_path, busy_week())))
        assert isinstance(desk.service.leads, Empirical)
        assert 60 <= min(desk.service.leads.values) <= max(desk.service.leads.values) < 1800
        assert isinstance(desk.calls.pause, Empirical)
        assert desk.calls.staff == 0

    def test_what_the_log_has_nothing_of_keeps_its_default(self, tmp_path: Path) -> None:
        desk = desk_of(read_log(write_log(tmp_path, one_application())))
        assert desk.service.fraud == Constant(value=60.0)

    def test_nobody_is_served_before_the_roster_sends_staff(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        records = run_week(log, tmp_path, [{"calls": 0, "assessment": 0}] * 10)
        statuses = [item["value"]["status"] for item in work_items(records)]
        assert statuses == ["queued"]

    def test_an_application_goes_through_its_turns_in_order(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        records = run_week(log, tmp_path, [{"calls": 1, "assessment": 0}] * 168)
        items = work_items(records)
        assert [item["value"]["status"] for item in items] == ["queued", "started", "finished"] * 3
        assert {item["key"] for item in items} == {"1"}
        queued = [item["sim_ts"] for item in items if item["value"]["status"] == "queued"]
        assert queued == [8 * HOUR_S + 60, 11 * HOUR_S, 33 * HOUR_S]

    def test_work_in_hand_has_waited_since_before_the_week(self, tmp_path: Path) -> None:
        rows = [
            row(moment(-2, "12:00"), "1", LEADS, "SCHEDULE", "112"),
            row(moment(0, "09:00"), "1", LEADS, "START", "ann"),
            row(moment(0, "09:01"), "1", LEADS, "COMPLETE", "ann"),
        ]
        log = read_log(write_log(tmp_path, rows))
        records = run_week(log, tmp_path)
        queued, started, _ = work_items(records)
        assert queued["sim_ts"] == 0
        assert datetime.fromisoformat(queued["value"]["due"]) == moment(-2, "12:00")
        assert started["sim_ts"] == 9 * HOUR_S

    def test_a_turn_that_was_under_way_when_the_run_began_is_history(self, tmp_path: Path) -> None:
        rows = [
            row(moment(-1, "23:59"), "1", LEADS, "START", "ann"),
            row(moment(0, "00:10"), "1", LEADS, "COMPLETE", "ann"),
            row(moment(0, "09:00"), "1", COMPLETION, "START", "ann"),
            row(moment(0, "09:10"), "1", COMPLETION, "COMPLETE", "ann"),
        ]
        log = read_log(write_log(tmp_path, rows))
        records = run_week(log, tmp_path, [{"calls": 1, "assessment": 0}] * 168)
        items = [item["value"] for item in work_items(records)]
        assert {(item["turn"], item["activity"]) for item in items} == {(2, "completion")}

    def test_what_is_due_while_the_turn_before_is_not_done_waits_from_then_on(
        self, tmp_path: Path
    ) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        heads = [{"calls": int(hour >= 48), "assessment": 0} for hour in range(168)]
        items = work_items(run_week(log, tmp_path, heads))
        first, *others = [item for item in items if item["value"]["status"] == "queued"]
        assert datetime.fromisoformat(first["value"]["due"]) == moment(0, "08:01")
        finished = [item for item in items if item["value"]["status"] == "finished"]
        for other, before in zip(others, finished, strict=False):
            due = datetime.fromisoformat(other["value"]["due"])
            assert due == datetime.fromisoformat(before["timestamp"])

    def test_a_run_across_the_end_of_summer_time_keeps_to_the_hours_that_passed(
        self, tmp_path: Path
    ) -> None:
        rows = [
            row(datetime.fromisoformat(at) + timedelta(minutes=minute), case, LEADS, lifecycle)
            for case, at in (("1", "2011-10-29T12:00:00+02:00"), ("2", "2011-10-30T12:00:00+01:00"))
            for minute, lifecycle in enumerate(("SCHEDULE", "START", "COMPLETE"))
        ]
        log = read_log(write_log(tmp_path, rows))
        window = log.window()
        assert window.hours == 24 + 25
        items = work_items(read_records(run_days(log, window, tmp_path)))
        queued = [item["sim_ts"] for item in items if item["value"]["status"] == "queued"]
        assert queued == [12 * HOUR_S, (24 + 13) * HOUR_S]

    def test_half_a_year_is_one_run(self, tmp_path: Path) -> None:
        later = timedelta(days=165)
        rows = [
            row(datetime.fromisoformat(at) + wait, case, *rest)
            for wait in (timedelta(), later)
            for at, _, *rest in (each[:5] for each in one_application())
            for case in [str(wait.days)]
        ]
        log = read_log(write_log(tmp_path, rows))
        window = log.window()
        assert window.hours == 167 * 24 - 1, "the clocks were put forward in March"
        items = work_items(read_records(run_days(log, window, tmp_path)))
        assert [item["key"] for item in items] == ["0"] * 9 + ["165"] * 9
        last = datetime.fromisoformat(items[-1]["timestamp"])
        assert window.end - timedelta(days=1) < last < window.end

    def test_no_more_are_served_at_once_than_are_at_work_when_they_begin(
        self, tmp_path: Path
    ) -> None:
        log = read_log(write_log(tmp_path, busy_week()))
        heads = heads_by_hour(log, log.week(MONDAY))
        served = 0
        for item in work_items(run_week(log, tmp_path)):
            is_call = item["value"]["activity"] != "assessment"
            status = item["value"]["status"]
            served += is_call * {"queued": 0, "started": 1, "finished": -1}[status]
            if status == "started" and is_call:
                assert served <= heads[int(item["sim_ts"] // HOUR_S)]["calls"]

    def test_every_turn_is_queued_then_started_then_finished(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, busy_week()))
        seen: defaultdict[str, list[str]] = defaultdict(list)
        for item in work_items(run_week(log, tmp_path)):
            seen[item["key"]].append(item["value"]["status"])
        assert len(seen) == 120
        for statuses in seen.values():
            assert statuses == (["queued", "started", "finished"] * 3)[: len(statuses)]

    def test_the_same_seed_gives_the_same_week(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, busy_week()))
        first, second = (
            [{k: v for k, v in record.items() if k != "run_id"} for record in run_week(log, folder)]
            for folder in (tmp_path / "a", tmp_path / "b")
        )
        assert first == second

    def test_a_settings_file_names_the_log_by_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOAN_DESK_LOG", str(write_log(tmp_path, one_application())))
        monkeypatch.setenv("LOAN_DESK_START", "2011-11-14T00:00:00+01:00")
        env = DynamicEnvironment(seed=1)
        build(env)
        assert env.registry["Desk.calls.staff"] == 0

    def test_without_a_log_it_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LOAN_DESK_LOG", raising=False)
        with pytest.raises(ValueError, match="set LOAN_DESK_LOG"):
            build(DynamicEnvironment())
