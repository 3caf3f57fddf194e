"""The loan desk's comparison: the query's figures against figures computed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import duckdb
import pytest
from comparison import WARM_UP, compare, records_of, settled_at, show
from log import Log, Window, read_log

from loan_desk_logs import (
    LEADS,
    LOAN_DESK,
    MONDAY,
    busy_week,
    moment,
    one_application,
    read_records,
    row,
    run_days,
    work_items,
    write_log,
)
from pages import blocks

WEEK = Window(moment(0, "00:00"), moment(7, "00:00"))

Rows = Sequence[tuple[Any, ...]]


def fetch(database: duckdb.DuckDBPyConnection, query: str) -> Rows:
    return database.execute(query).fetchall()


def write_records(path: Path, turns: Iterable[tuple[Any, ...]]) -> Path:
    """Records as a run leaves them; a turn is case, number, activity, due, started, finished."""
    lines = []
    for case, number, activity, due, *moments in turns:
        for status, at in zip(("queued", "started", "finished"), (due, *moments), strict=False):
            value = {
                "status": status,
                "loan": {"id": case, "case": case, "amount": "5000", "applied": due.isoformat()},
                "turn": number,
                "activity": activity,
                "is_call_back": activity == "offer_calls",
                "due": due.isoformat(),
            }
            record = {"type": "WorkItem", "timestamp": at.isoformat(), "value": value}
            lines.append(json.dumps(record))
    # What a run's file holds beside them.
    lines.append(json.dumps({"type": None, "timestamp": WEEK.start.isoformat(), "value": 0.5}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


NOTHING: list[tuple[Any, ...]] = []

MODEL = [
    ("1", 1, "completion", moment(0, "08:01"), moment(0, "08:31"), moment(0, "08:41")),
    ("1", 2, "offer_calls", moment(1, "09:00"), moment(1, "09:15"), moment(2, "00:10")),
    ("2", 1, "completion", moment(0, "09:00"), moment(0, "10:30"), moment(0, "11:00")),
    ("3", 1, "leads", moment(-2, "12:00"), moment(0, "12:00"), moment(0, "12:30")),
    ("4", 1, "leads", moment(6, "23:00"), moment(6, "23:30")),  # under way at the end
    ("5", 1, "leads", moment(6, "23:00")),  # waiting at the end
]


class TestRealTurns:
    def test_they_are_those_that_the_model_is_driven_by(self, tmp_path: Path) -> None:
        path = write_log(tmp_path, [*busy_week(), *one_application("one")])
        database = compare(path, write_records(tmp_path / "none.jsonl", NOTHING), WEEK)
        assert real_turns(database) == turns_of(read_log(path))

    def test_a_start_answers_the_oldest_schedule_that_is_not_answered(self, tmp_path: Path) -> None:
        rows = [
            row(moment(0, "08:00"), "1", LEADS, "START", "ann"),  # answers none
            row(moment(0, "08:05"), "1", LEADS, "COMPLETE", "ann"),
            row(moment(0, "08:10"), "1", LEADS, "SCHEDULE", "ann"),
            row(moment(0, "08:20"), "1", LEADS, "SCHEDULE", "ann"),
            row(moment(0, "08:30"), "1", LEADS, "START", "ann"),  # 8:10, and is never completed
            row(moment(0, "08:40"), "1", LEADS, "START", "ann"),  # 8:20
            row(moment(0, "08:50"), "1", LEADS, "COMPLETE", "ann"),
            row(moment(0, "08:55"), "1", LEADS, "COMPLETE", "ann"),  # of nothing
            row(moment(0, "09:00"), "1", LEADS, "START", "ann"),  # answers none
            row(moment(0, "09:10"), "1", LEADS, "COMPLETE", "ann"),
        ]
        path = write_log(tmp_path, rows)
        database = compare(path, write_records(tmp_path / "none.jsonl", NOTHING), WEEK)
        found = fetch(
            database,
            "SELECT strftime(due, '%H:%M'), strftime(started, '%H:%M'), is_call_back "
            "FROM real_turns ORDER BY started",
        )
        assert found == [(None, "08:00", True), ("08:20", "08:40", False), (None, "09:00", True)]
        assert real_turns(database) == turns_of(read_log(path))

    def test_schedules_are_answered_in_their_order(self, tmp_path: Path) -> None:
        clocks = [("SCHEDULE", "08:10"), ("SCHEDULE", "08:20"), ("START", "08:30")]
        clocks += [("COMPLETE", "08:35"), ("START", "08:40"), ("COMPLETE", "08:45")]
        path = write_log(tmp_path, [row(moment(0, at), "1", LEADS, what) for what, at in clocks])
        database = compare(path, write_records(tmp_path / "none.jsonl", NOTHING), WEEK)
        query = "SELECT strftime(due, '%H:%M'), strftime(started, '%H:%M') FROM real_turns"
        assert sorted(fetch(database, query)) == [("08:10", "08:30"), ("08:20", "08:40")]

    def test_of_the_real_log_they_are_those_that_the_model_is_driven_by(
        self, tmp_path: Path, loan_desk_log: Path
    ) -> None:
        log = read_log(loan_desk_log)
        none = write_records(tmp_path / "none.jsonl", NOTHING)
        database = compare(loan_desk_log, none, log.window())
        assert real_turns(database) == turns_of(log)


def real_turns(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    turns = fetch(
        database,
        'SELECT "case", activity, is_call_back, epoch_ms(coalesce(due, started)), '
        "epoch_ms(started), epoch_ms(finished) FROM real_turns",
    )
    return sorted(turns)


def turns_of(log: Log) -> list[tuple[Any, ...]]:
    return sorted(
        (turn.case, turn.activity, turn.is_call_back, *map(ms, (turn.due, turn.start, turn.end)))
        for turn in log.turns
    )


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class TestFigures:
    @pytest.fixture
    def database(self, tmp_path: Path) -> duckdb.DuckDBPyConnection:
        rows = [
            *one_application(),
            row(moment(-1, "23:50"), "2", LEADS, "START", "ann"),  # before the week
            row(moment(0, "00:10"), "2", LEADS, "COMPLETE", "ann"),
            row(moment(-1, "12:00"), "3", LEADS, "SCHEDULE", "112"),
            row(moment(0, "09:00"), "3", LEADS, "START", "ann"),
            row(moment(0, "09:30"), "3", LEADS, "COMPLETE", "ann"),
            row(moment(6, "12:00"), "4", LEADS, "SCHEDULE", "112"),
            row(moment(7, "09:00"), "4", LEADS, "START", "ann"),  # after it
            row(moment(7, "09:30"), "4", LEADS, "COMPLETE", "ann"),
            row(moment(7, "08:00"), "5", LEADS, "SCHEDULE", "112"),  # no waiting in the week
            row(moment(7, "09:00"), "5", LEADS, "START", "bob"),
            row(moment(7, "09:30"), "5", LEADS, "COMPLETE", "bob"),
        ]
        log = write_log(tmp_path, rows)
        return compare(log, write_records(tmp_path / "run.jsonl", MODEL), WEEK)

    def test_turns_count_on_the_day_on_which_they_were_finished(self, database) -> None:
        found = fetch(database, "SELECT dayofmonth(day), real, model FROM throughput_by_day")
        assert found == [
            (14, 3, 3),
            (15, 1, 0),
            (16, 0, 1),
            *((day, 0, 0) for day in range(17, 21)),
        ]

    def test_the_week_is_the_sum_of_its_days(self, database) -> None:
        assert fetch(database, "FROM throughput_by_week") == [(MONDAY, 4, 4, 0.0)]

    def test_waiting_is_from_due_to_started(self, database) -> None:
        assert fetch(database, "FROM waiting") == [
            # work, turns, median real and model, 90 % real and model
            ("completion", 1, 0.98, 1.0, 0.98, 1.4),
            ("leads", 1, 21.0, 24.25, 21.0, 43.25),
            ("call-backs", 0, None, 0.25, None, 0.25),
        ]

    def test_what_waits_at_the_end_is_told(self, database) -> None:
        assert fetch(database, "FROM still_waiting") == [(1, 1)]

    def test_waiting_before_the_desk_had_settled_does_not_count(self, tmp_path: Path) -> None:
        log = write_log(tmp_path, one_application())
        records = write_records(tmp_path / "run.jsonl", MODEL)
        database = compare(log, records, WEEK, settled=moment(0, "08:30"))
        assert fetch(database, "FROM waiting") == [
            ("completion", 0, None, 1.5, None, 1.5),
            ("leads", 0, None, 0.5, None, 0.5),
            ("call-backs", 0, None, 0.25, None, 0.25),
        ]

    def test_the_day_on_which_clocks_are_set_back_is_one_day(self, tmp_path: Path) -> None:
        at = {
            "1": "2011-10-30T00:30:00+02:00",
            "2": "2011-10-30T23:30:00+01:00",
            "3": "2011-10-31T00:30:00+01:00",
        }
        rows = [
            row(datetime.fromisoformat(moment) + timedelta(minutes=minute), case, LEADS, lifecycle)
            for case, moment in at.items()
            for minute, lifecycle in enumerate(("START", "COMPLETE"))
        ]
        model = [("1", 1, "leads", *[datetime.fromisoformat(at["2"])] * 3)]
        path = write_log(tmp_path, rows)
        records = write_records(tmp_path / "run.jsonl", model)
        database = compare(path, records, read_log(path).window())
        found = fetch(database, "SELECT dayofmonth(day), real, model FROM throughput_by_day")
        assert found == [(30, 2, 1), (31, 1, 0)]

    def test_the_figures_of_a_run_are_those_of_its_records(self, tmp_path: Path) -> None:
        path = write_log(tmp_path, busy_week())
        log = read_log(path)
        records = run_days(log, log.week(MONDAY), tmp_path)
        database = compare(path, records, log.week(MONDAY))
        items = work_items(read_records(records))
        at = {status: [] for status in ("queued", "started", "finished")}
        for item in items:
            at[item["value"]["status"]].append(item)
        ((real, model),) = fetch(database, "SELECT sum(real), sum(model) FROM throughput_by_day")
        assert (real, model) == (len(log.turns), len(at["finished"]))
        (waited,) = fetch(database, "SELECT * FROM waiting WHERE work = 'leads'")
        hours = [wait(item) for item in at["started"] if item["value"]["activity"] == "leads"]
        assert waited[3] == pytest.approx(median(hours), abs=0.0051)
        ((_, waits),) = fetch(database, "FROM still_waiting")
        assert waits == len(at["queued"]) - len(at["started"])


def loan_id(records: list[dict[str, Any]]) -> UUID:
    return UUID(work_items(records)[0]["value"]["loan"]["id"])


def wait(item: dict[str, Any]) -> float:
    due, at = (datetime.fromisoformat(each) for each in (item["value"]["due"], item["timestamp"]))
    return (at - due) / timedelta(hours=1)


class TestRecords:
    def test_a_file_whose_name_has_a_quote_is_read(self, tmp_path: Path) -> None:
        log = write_log(tmp_path, one_application(), "it's.csv")
        records = write_records(tmp_path / "the run's.jsonl", MODEL)
        assert fetch(compare(log, records, WEEK), "FROM still_waiting") == [(0, 1)]

    def test_a_gzipped_log_gives_the_same(self, tmp_path: Path) -> None:
        records = write_records(tmp_path / "run.jsonl", MODEL)
        plain, gzipped = (
            fetch(compare(write_log(tmp_path, busy_week(), name), records, WEEK), "FROM waiting")
            for name in ("log.csv", "log.csv.gz")
        )
        assert plain == gzipped

    def test_parquet_keeps_their_types_and_gives_the_same(self, tmp_path: Path) -> None:
        path = write_log(tmp_path, busy_week())
        log = read_log(path)
        week = log.week(MONDAY)
        lake = {"connector": "parquet", "uri": str(tmp_path / "lake")}
        lines = run_days(log, week, tmp_path, None, lake)
        columns = compare(path, records_of({"egress": [lake]}, lines.stem), week)
        views = ["throughput_by_day", "throughput_by_week", "waiting", "still_waiting"]
        for view in views:
            assert fetch(columns, f"FROM {view}") == fetch(
                compare(path, lines, week), f"FROM {view}"
            )
        types = fetch(columns, "SELECT DISTINCT typeof(value) FROM records")
        assert types == [
            (
                'STRUCT(status VARCHAR, loan STRUCT(id UUID, "case" VARCHAR, '
                "amount DECIMAL(10,2), applied TIMESTAMP WITH TIME ZONE), turn BIGINT, "
                "activity VARCHAR, is_call_back BOOLEAN, due TIMESTAMP WITH TIME ZONE)",
            )
        ]
        (first,) = fetch(
            columns, "SELECT value.loan.id, value.loan.amount FROM records ORDER BY seq LIMIT 1"
        )
        assert first == (loan_id(read_records(lines)), Decimal("5000.00"))

    def test_the_settings_say_where_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        file = {"connector": "jsonl", "path": "out/{run_id}.jsonl"}
        assert records_of({"egress": [{"connector": "redis"}, file]}, "7") == "out/7.jsonl"
        monkeypatch.setenv("LAKE", "/lake/")
        lake = {"connector": "parquet", "uri": "${LAKE}"}
        found = records_of({"egress": [{"connector": "kafka"}, lake, file]}, "7")
        assert found == "/lake/event/WorkItem/run=7/*.parquet"

    def test_without_files_there_is_nothing_to_compare(self) -> None:
        with pytest.raises(ValueError, match="nothing to compare"):
            records_of({"egress": [{"connector": "redis"}]}, "7")


class TestSettled:
    def test_a_run_that_begins_with_the_log_warms_up(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        assert settled_at(log, log.window()) == moment(0, "00:00") + WARM_UP

    def test_a_run_that_begins_later_has_the_work_that_was_in_hand(self, tmp_path: Path) -> None:
        log = read_log(write_log(tmp_path, one_application()))
        tuesday = MONDAY + timedelta(days=1)
        assert settled_at(log, log.window(tuesday, tuesday)) is None

    def test_nine_of_ten_applications_are_through_when_the_desk_has_settled(
        self, loan_desk_log: Path
    ) -> None:
        applications = read_log(loan_desk_log).applications
        # Of those that came later the log may not show the end.
        came = [a for a in applications if a.turns and a.arrived < datetime.fromisoformat(FEBRUARY)]
        took = sorted(max(turn.end for turn in a.turns) - a.arrived for a in came)
        assert WARM_UP - timedelta(days=1) < took[len(took) * 9 // 10] < WARM_UP


FEBRUARY = "2012-02-01T00:00:00+01:00"


class TestShow:
    def test_few_days_are_shown_one_by_one(self, tmp_path: Path, capsys) -> None:
        log = write_log(tmp_path, one_application())
        show(compare(log, write_records(tmp_path / "run.jsonl", MODEL), WEEK))
        out = capsys.readouterr().out
        assert "2011-11-20" in out
        assert "completion" in out

    def test_many_days_are_shown_by_the_week(self, tmp_path: Path, capsys) -> None:
        log = write_log(tmp_path, one_application())
        window = Window.of_days(MONDAY, MONDAY + timedelta(days=20))
        show(compare(log, write_records(tmp_path / "run.jsonl", MODEL), window))
        out = capsys.readouterr().out
        assert "2011-11-20" not in out
        assert "2011-11-28" in out


def test_the_page_shows_the_query_as_it_is() -> None:
    (shown,) = (block.code for block in blocks(LOAN_DESK / "README.md") if block.language == "sql")
    assert shown == (LOAN_DESK / "comparison.sql").read_text(encoding="utf-8")
