"""The loan desk's model and its reading of the log, on small logs made up for it."""

from __future__ import annotations

import gzip
import json
import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from despatch import Constant, DynamicEnvironment, Empirical, Run

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "loan_desk"))

from comparison import figures_of_log, figures_of_records, read_records, table
from log import Log, read_log
from model import build, desk_of, make_model
from roster import COMMANDS, Roster
from staffing import heads_by_hour, pauses, service_times

MONDAY = date(2011, 11, 14)
HOUR_S = 3600.0
LEADS, COMPLETION = "W_Afhandelen leads", "W_Completeren aanvraag"
OFFERS, ASSESSMENT = "W_Nabellen offertes", "W_Valideren aanvraag"


def moment(day: int, clock: str) -> datetime:
    """A time in the week that begins on MONDAY; day 0 is the Monday."""
    hour, minute = map(int, clock.split(":"))
    at = datetime(2011, 11, 14, hour, minute) + timedelta(days=day)
    return datetime.fromisoformat(f"{at.isoformat()}+01:00")


def row(at: datetime, case: str, activity: str, lifecycle: str, staff: str = "") -> list[str]:
    return [at.isoformat(), case, activity, lifecycle, staff, "5000"]


def write_log(folder: Path, rows: Iterable[list[str]], name: str = "log.csv") -> Path:
    lines = ["timestamp,case,activity,lifecycle,resource,amount"]
    lines += [",".join(each) for each in sorted(rows)]
    path, text = folder / name, "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def one_application(case: str = "1") -> list[list[str]]:
    return [
        row(moment(0, "08:00"), case, "A_SUBMITTED", "COMPLETE", "112"),
        row(moment(0, "08:01"), case, COMPLETION, "SCHEDULE", "112"),
        row(moment(0, "09:00"), case, COMPLETION, "START", "ann"),
        row(moment(0, "09:10"), case, COMPLETION, "COMPLETE", "ann"),
        row(moment(0, "11:00"), case, COMPLETION, "START", "ann"),
        row(moment(0, "11:05"), case, OFFERS, "SCHEDULE", "ann"),
        row(moment(0, "11:06"), case, COMPLETION, "COMPLETE", "ann"),
        row(moment(1, "09:00"), case, OFFERS, "START", "bob"),
        row(moment(1, "09:03"), case, OFFERS, "COMPLETE", "bob"),
    ]


def busy_week(cases: int = 120) -> list[list[str]]:
    """A week of applications at all hours, served by four people."""
    numbers, rows = random.Random(1), []
    for number in range(cases):
        case = str(number)
        arrived = moment(0, "00:00") + timedelta(minutes=numbers.randrange(5 * 24 * 60))
        rows.append(row(arrived, case, "A_SUBMITTED", "COMPLETE", "112"))
        due = arrived
        for activity, team in ((LEADS, "ab"), (COMPLETION, "ab"), (ASSESSMENT, "cd")):
            staff = numbers.choice(team)
            start = due + timedelta(minutes=numbers.randrange(300))
            end = start + timedelta(minutes=numbers.randrange(1, 30))
            rows.append(row(due, case, activity, "SCHEDULE", "112"))
            rows.append(row(start, case, activity, "START", staff))
            rows.append(row(end, case, activity, "COMPLETE", staff))
            due = end
    return rows


def run_week(log: Log, folder: Path, heads: list[dict[str, int]] | None = None) -> list[Any]:
    """The records of one week, its staffing scheduled."""
    week = log.week(MONDAY)
    commands = [
        {"at": hour * HOUR_S, "updates": {f"Desk.{t}.staff": n for t, n in count.items()}}
        for hour, count in enumerate(heads or heads_by_hour(log, week))
    ]
    settings = {
        "name": "loan_desk",
        "seed": 1,
        "clock": {"until": "168h", "start": week.start},
        "runs": folder / "runs",
        "courier": {"host": "thread"},
        "ingress": [{"connector": "schedule", "commands": commands, "allow": ["Desk.*"]}],
        "egress": [{"connector": "jsonl", "path": str(folder / "{run_id}.jsonl")}],
    }
    with Run(settings, make_model(log, MONDAY)) as run:
        run.run()
    assert run.report.exit_status == 0
    return list(read_records(folder / f"{run.report.run_id}.jsonl"))


def work_items(records: Iterable[Any]) -> list[Any]:
    return [record for record in records if record["type"] == "WorkItem"]


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

    def test_a_week_without_work_is_refused(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        with pytest.raises(ValueError, match="2011-11-21"):
            log.week(date(2011, 11, 21))

    def test_simulated_time_begins_with_the_week(self, tmp_path: Path) -> None:
        week = read_log(write_log(tmp_path, one_application())).week(MONDAY)
        assert week.seconds(moment(1, "01:00")) == 25 * HOUR_S
        assert moment(6, "23:59") in week
        assert moment(7, "00:00") not in week


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
        assert (queued["sim_ts"], queued["value"]["due"]) == (0, -36 * HOUR_S)
        assert started["sim_ts"] == 9 * HOUR_S
        assert figures_of_records(records).waits == {"leads": [45 * HOUR_S]}

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
        monkeypatch.setenv("LOAN_DESK_WEEK", "2011-11-14")
        env = DynamicEnvironment(seed=1)
        build(env)
        assert env.registry["Desk.calls.staff"] == 0

    def test_without_a_log_it_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LOAN_DESK_LOG", raising=False)
        with pytest.raises(ValueError, match="set LOAN_DESK_LOG"):
            build(DynamicEnvironment())


class TestComparison:
    def test_the_real_figures_are_those_of_the_log(self, tmp_path: Path) -> None:
        rows = [
            *one_application(),
            row(moment(6, "12:00"), "2", LEADS, "SCHEDULE", "112"),
            row(moment(7, "09:00"), "2", LEADS, "START", "ann"),
            row(moment(7, "09:30"), "2", LEADS, "COMPLETE", "ann"),
        ]
        log = read_log(write_log(tmp_path, rows))
        figures = figures_of_log(log, log.week(MONDAY))
        assert figures.done == [2, 1, 0, 0, 0, 0, 0]
        assert figures.waits == {"completion": [59 * 60]}
        assert figures.still_waiting == 1

    def test_the_models_figures_add_up_to_its_records(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, busy_week()))
        records = run_week(log, tmp_path)
        figures = figures_of_records(records)
        count = Counter(item["value"]["status"] for item in work_items(records))
        assert sum(figures.done) == count["finished"]
        assert sum(map(len, figures.waits.values())) == count["started"]
        assert figures.still_waiting == count["queued"] - count["started"]

    def test_the_table_has_both_sides(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, busy_week()))
        real = figures_of_log(log, log.week(MONDAY))
        text = table(real, figures_of_records(run_week(log, tmp_path)))
        assert f"  Mon{real.done[0]:>29}" in text
        assert "leads" in text


HEADS = [{"calls": hour % 3, "assessment": 1} for hour in range(168)]


def sent(redis_url: str) -> list[Any]:
    """The commands in the stream."""
    with redis.Redis.from_url(redis_url) as server:
        return [json.loads(entry[b"command"]) for _, entry in server.xrange(COMMANDS)]


class TestRoster:
    def test_a_command_changes_both_teams_and_has_an_id_and_its_time(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as server:
            Roster(server, HEADS, "week").send_ahead()
        commands = sent(redis_url)
        assert len(commands) == 168
        assert commands[5] == {
            "id": "week-005",
            "at": 5 * HOUR_S,
            "updates": {"Desk.calls.staff": 2, "Desk.assessment.staff": 1},
        }

    def test_live_commands_come_one_an_hour_and_carry_no_time(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as server:
            Roster(server, HEADS).send_live(1e-9, threading.Event())
        commands = sent(redis_url)
        assert [command["id"] for command in commands] == [f"roster-{h:03}" for h in range(168)]
        assert not any("at" in command for command in commands)

    def test_a_run_that_ends_early_ends_the_roster(self, redis_url: str) -> None:
        stop = threading.Event()
        stop.set()
        with redis.Redis.from_url(redis_url) as server:
            Roster(server, HEADS).send_live(1.0, stop)
        assert sent(redis_url) == []

    def test_what_an_earlier_run_left_is_taken_back(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as server:
            roster = Roster(server, HEADS)
            roster.send_ahead()
            roster.clear()
        assert sent(redis_url) == []
