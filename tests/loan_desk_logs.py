"""Small logs made up for the loan desk's tests, and runs on them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from log import Log, Window
from model import make_model
from staffing import heads_by_hour

from despatch import Run

LOAN_DESK = Path(__file__).parents[1] / "examples" / "loan_desk"

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
    in_time = sorted(rows, key=lambda each: (datetime.fromisoformat(each[0]), each))
    lines += [",".join(each) for each in in_time]
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


def run_days(
    log: Log,
    window: Window,
    folder: Path,
    heads: list[dict[str, int]] | None = None,
    *also: dict[str, Any],
) -> Path:
    """Run some days, their staffing scheduled and other sinks there; the file of the records."""
    commands = [
        {"at": hour * HOUR_S, "updates": {f"Desk.{t}.staff": n for t, n in count.items()}}
        for hour, count in enumerate(heads or heads_by_hour(log, window))
    ]
    settings = {
        "name": "loan_desk",
        "seed": 1,
        "clock": {"until": f"{window.hours}h", "start": window.start},
        "runs": folder / "runs",
        "courier": {"host": "thread"},
        "ingress": [{"connector": "schedule", "commands": commands, "allow": ["Desk.*"]}],
        "egress": [{"connector": "jsonl", "path": str(folder / "{run_id}.jsonl")}, *also],
    }
    with Run(settings, make_model(log, window.start)) as run:
        run.run()
    assert run.report.exit_status == 0
    return folder / f"{run.report.run_id}.jsonl"


def run_week(
    log: Log, folder: Path, heads: list[dict[str, int]] | None = None
) -> list[dict[str, Any]]:
    """The records of the week that begins on MONDAY."""
    return read_records(run_days(log, log.week(MONDAY), folder, heads))


def read_records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def work_items(records: Iterable[Any]) -> list[Any]:
    """The events among them."""
    return [record for record in records if record["type"] == "WorkItem"]
