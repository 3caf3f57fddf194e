"""The comparison: what the desk really did in a week, and what the model did.

python comparison.py bpic2012.csv.gz out/loan_desk/RUN_ID.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from log import DEFAULT_WEEK, Log, Week, read_log

__all__ = ["Figures", "figures_of_log", "figures_of_records", "read_records", "table"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S, HOUR_S = 86_400, 3_600


@dataclass
class Figures:
    """One week at the desk.

    Attributes:
        done: Turns finished on each day.
        waits: For each activity, how long its fresh turns waited for staff, in seconds, for
            those that were started in the week.
        call_back_waits: The same for call-backs, in seconds past their hour; the log doesn't
            tell, the model does.
        still_waiting: Fresh turns that waited for staff at the week's end.
    """

    done: list[int] = field(default_factory=lambda: [0] * len(DAYS))
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    call_back_waits: list[float] = field(default_factory=list)
    still_waiting: int = 0


def figures_of_log(log: Log, week: Week) -> Figures:
    """What really happened."""
    figures = Figures()
    for turn in log.turns:
        # Turns begun before the week are no part of the model's week either.
        if turn.start >= week.start and turn.end in week:
            figures.done[(turn.end - week.start).days] += 1
        if turn.is_call_back:
            continue
        if turn.start in week:
            figures.waits[turn.activity].append((turn.start - turn.due).total_seconds())
        elif turn.due < week.end <= turn.start:
            figures.still_waiting += 1
    return figures


def figures_of_records(records: Iterable[Mapping[str, Any]]) -> Figures:
    """What happened in the model, by the records it published."""
    figures = Figures()
    for record in records:
        if record["type"] != "WorkItem":
            continue
        item, sim_ts = record["value"], record["sim_ts"]
        if item["status"] == "finished":
            figures.done[int(sim_ts // DAY_S)] += 1
        elif item["is_call_back"]:
            if item["status"] == "started":
                figures.call_back_waits.append(sim_ts - item["due"])
        elif item["status"] == "queued":
            figures.still_waiting += 1
        else:
            figures.still_waiting -= 1
            figures.waits[item["activity"]].append(sim_ts - item["due"])
    return figures


def read_records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records in a JSON lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def table(real: Figures, model: Figures) -> str:
    """Both side by side, for people to read."""
    lines = [f"{'turns finished':<24}{'real':>10}{'model':>10}{'off by':>10}"]
    for day, was, is_now in zip(DAYS, real.done, model.done, strict=True):
        lines.append(f"  {day:<22}{was:>10}{is_now:>10}{_off_by(was, is_now):>10}")
    was, is_now = sum(real.done), sum(model.done)
    lines.append(f"  {'week':<22}{was:>10}{is_now:>10}{_off_by(was, is_now):>10}")
    lines.append(
        f"{'waiting at the end':<24}{real.still_waiting:>10}{model.still_waiting:>10}"
        f"{_off_by(real.still_waiting, model.still_waiting):>10}"
    )
    lines += ["", f"{'hours waited for staff':<24}{'median':>17}{'90 % within':>20}"]
    lines.append(f"{'':<24}{'real':>10}{'model':>10}{'real':>10}{'model':>10}")
    for activity in sorted(real.waits.keys() | model.waits.keys()):
        lines.append(f"  {activity:<22}" + _hours(real.waits[activity], model.waits[activity]))
    lines.append(f"  {'call-backs':<22}" + _hours([], model.call_back_waits))
    return "\n".join(lines)


def _off_by(was: int, is_now: int) -> str:
    return f"{(is_now - was) / was:+.1%}" if was else f"{is_now - was:+d}"


def _hours(real: Sequence[float], model: Sequence[float]) -> str:
    figures = [
        f"{of(waits) / HOUR_S:.2f}" if waits else "-"
        for of in (median, _ninetieth)
        for waits in (real, model)
    ]
    return "".join(f"{figure:>10}" for figure in figures)


def _ninetieth(values: Sequence[float]) -> float:
    return sorted(values)[int(0.9 * (len(values) - 1))]


def main() -> None:
    """Print the comparison of a run that is over."""
    parser = argparse.ArgumentParser(description="Compare a run with the real week.")
    parser.add_argument("log", type=Path, help="the event log")
    parser.add_argument("records", type=Path, help="the run's records, JSON lines")
    parser.add_argument("--week", type=date.fromisoformat, default=DEFAULT_WEEK, metavar="MONDAY")
    chosen = parser.parse_args()
    log = read_log(chosen.log)
    real = figures_of_log(log, log.week(chosen.week))
    print(table(real, figures_of_records(read_records(chosen.records))))


if __name__ == "__main__":
    main()
