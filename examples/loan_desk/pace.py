"""The desk's pace: what comes and what is done in each hour of the week, and how much days differ.

python pace.py bpic2012.csv.gz pace.json --to 2011-12-31     of all days up to that one

A forecast starts from it (`outlook.py`). It is made of the days that it names and of nothing else,
so that forecasts can be scored on later days.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from log import ACTIVITIES, ZONE
from numpy.typing import NDArray
from pydantic import BaseModel
from work import AT_ONCE_S, HOUR_S, Hours, Item, Work, read_work

__all__ = ["BY_ITEM", "FIRST_DAY", "LATELY", "WORK", "Pace", "day_kind", "fit_pace", "lately"]

WORK = tuple(ACTIVITIES.values())

BY_ITEM = ("leads", "completion", "offer_calls", "file_calls")
"""Work that is begun the sooner the more of it waits. Of the rest, so much is begun an hour."""

LATELY = timedelta(days=7)
"""How far back the desk's present level is measured: a whole week has each hour of it once."""

FIRST_DAY = date(2011, 10, 17)
"""The desk fills up before: the log begins with nothing in hand."""

WIDENING = 1.5
"""How much more the days to come differ from the week before than those that were fitted to. It is
set so that the 90 % bands held what came in weeks of the fitted months that were left out for this
purpose (see README.md)."""

Array: TypeAlias = NDArray[np.float64]
DayKind: TypeAlias = Literal["weekday", "saturday", "sunday"]

_LEAST_EXPECTED = 20.0
_LEAST_DAYS = 4
_LEAST_HOURS = 72
_OPEN_FROM = 0.05


def day_kind(hour_of_week: int) -> DayKind:
    """Which kind of day an hour of the week is in."""
    return "weekday" if hour_of_week < 120 else "saturday" if hour_of_week < 144 else "sunday"


class Pace(BaseModel):
    """What the desk does, as some days show it.

    A stream is what happens again and again: ``came.leads`` is work that comes by itself,
    ``first.assessment`` are first turns, ``again.leads`` further turns. Each has a profile: how
    many there are in each of the 168 hours of a week, or in the case of the first turns of
    `BY_ITEM`, how many there are for each item that waits for an hour.

    Attributes:
        first: The first of these days.
        last: The last of them.
        profiles: Stream to profile.
        days: For each kind of day, the days there were: how much more of each stream there was
            than the profile and the week before had led to expect, as a ratio. Only what goes
            beyond chance counts.
        at_once: For each activity, the share of work that is begun as soon as it is scheduled.
        follow_ups: For ``first`` and ``again``, and for each activity, how many pieces of work of
            each activity a turn leads to.
        service: For each activity, how long its turns took, in seconds, in order.
        closed: For each hour of the week, whether hardly a turn ever ended in it: the desk is
            closed, and what was left open ends when it opens.
    """

    first: date
    last: date
    profiles: dict[str, list[float]]
    days: dict[DayKind, list[dict[str, float]]]
    at_once: dict[str, float]
    follow_ups: dict[str, dict[str, dict[str, float]]]
    service: dict[str, list[float]]
    closed: list[bool]


def fit_pace(work: Work, last: date, first: date = FIRST_DAY) -> Pace:
    """Fit the pace to some days of a log.

    Args:
        work: The log. What came after the last day does not matter.
        last: The last day, included.
        first: The first day.

    Raises:
        ValueError: There is no whole week between the two.
    """
    seconds = _midnight(last + timedelta(days=1)) - _midnight(first)
    count = round(seconds / HOUR_S)
    if count < 7 * 24:
        raise ValueError(f"expected a week or more from {first} to {last}")
    hours = Hours(first, count)
    streams = _streams(work, hours)
    profiles, expected = {}, {}
    for name, counts in streams.items():
        exposure = _waited(work, name, hours) if _is_by_item(name) else None
        profiles[name] = _profile(hours, counts, exposure)
        expected[name] = profiles[name][hours.of_week] * (1.0 if exposure is None else exposure)
    return Pace(
        first=first,
        last=last,
        profiles={name: profile.tolist() for name, profile in profiles.items()},
        days=_days(hours, streams, expected),
        at_once=_at_once(work, hours),
        follow_ups=_follow_ups(work, hours),
        service=_service(work, hours),
        closed=_closed(work, hours),
    )


def lately(work: Work, pace: Pace, moment: float) -> dict[str, float]:
    """How high the level of each stream has been in the week before an instant, as a ratio.

    Args:
        work: The log. What came after the instant does not matter.
        pace: What the level is a ratio to.
        moment: The instant, in seconds since 1970.
    """
    day = datetime.fromtimestamp(moment, ZONE).date() - LATELY - timedelta(days=1)
    hours = Hours(day, 9 * 24 + 1)
    now = hours.index(moment)
    levels = {}
    for name, counts in _streams(work, hours, until=moment).items():
        expected = np.array(pace.profiles[name])[hours.of_week]
        if _is_by_item(name):
            expected = expected * _waited(work, name, hours, until=moment)
        levels[name] = _level(hours, counts, expected, now)
    return levels


def _streams(work: Work, hours: Hours, until: float = np.inf) -> dict[str, Array]:
    """How often each stream happened in each hour."""
    moments: dict[str, list[float]] = {}
    for name in WORK:
        moments[f"came.{name}"] = work.came[name]
        moments[f"first.{name}"], moments[f"again.{name}"] = [], []
    for spell in work.spells:
        if spell.kind != "at_once":
            moments[f"{spell.kind}.{spell.activity}"].append(spell.began)
    return {
        name: hours.count([at for at in times if at < until]) for name, times in moments.items()
    }


def _is_by_item(stream: str) -> bool:
    kind, _, activity = stream.partition(".")
    return kind == "first" and activity in BY_ITEM


def _waited(work: Work, stream: str, hours: Hours, until: float = np.inf) -> Array:
    """How many hours of waiting there were in each hour, of work that was not begun at once."""
    activity = stream.partition(".")[2]
    until = min(until, hours.ended)
    return hours.spent(
        [
            (item.scheduled, min(item.begun, until))
            for item in work.items
            if item.activity == activity and not _is_begun_at_once(item, until)
        ]
    )


def _is_begun_at_once(item: Item, until: float) -> bool:
    return item.begun < until and item.begun - item.scheduled < AT_ONCE_S


def _profile(hours: Hours, counts: Array, exposure: Array | None) -> Array:
    happened = np.bincount(hours.of_week, counts * hours.is_usual, minlength=168)
    if exposure is None:
        there_were = np.bincount(hours.of_week, hours.is_usual, minlength=168)
        return happened / np.maximum(there_were, 1)
    waited = np.bincount(hours.of_week, exposure * hours.is_usual, minlength=168)
    # By item all weekdays are alike: what waits on Mondays is more, not slower.
    for each in (happened, waited):
        each[:120] = np.tile(each[:120].reshape(5, 24).sum(axis=0), 5)
    return np.divide(happened, waited, out=np.zeros(168), where=waited > 0)


def _level(hours: Hours, counts: Array, expected: Array, now: int) -> float:
    """What happened in the week before an hour, to what was to be expected of it."""
    before = slice(max(0, now - LATELY // timedelta(hours=1)), now)
    usual = hours.is_usual[before]
    total = expected[before][usual].sum()
    return float(counts[before][usual].sum() / total) if total >= _LEAST_EXPECTED else 1.0


def _days(
    hours: Hours, streams: dict[str, Array], expected: dict[str, Array]
) -> dict[DayKind, list[dict[str, float]]]:
    days: dict[DayKind, list[int]] = {"weekday": [], "saturday": [], "sunday": []}
    for day in range(hours.day[-1] + 1):
        first = np.flatnonzero(hours.day == day)[0]
        if hours.is_usual[first]:
            days[day_kind(int(hours.of_week[first]))].append(day)
    names = [*streams]
    found: dict[DayKind, list[dict[str, float]]] = {}
    for kind, members in days.items():
        columns = []
        for name in names:
            ratios = _ratios(hours, streams[name], expected[name], members)
            columns.append(np.maximum(0.05, 1 + (ratios - 1) * WIDENING))
        found[kind] = [
            dict(zip(names, map(float, row), strict=True)) for row in np.array(columns).T
        ]
    return found


def _ratios(hours: Hours, counts: Array, expected: Array, days: Sequence[int]) -> Array:
    """How much more there was on some days than expected, less what chance alone would do.

    A count that is expected to be E differs by chance with the variance 1 / E of its ratio. What
    the ratios differ by more than that, on average, is the days' own; each is drawn nearer to 1 so
    that no more than that is left.
    """
    means, happened = np.zeros(len(days)), np.zeros(len(days))
    for i, day in enumerate(days):
        inside = np.flatnonzero(hours.day == day)
        is_level_known = inside[0] >= _LEAST_HOURS
        level = _level(hours, counts, expected, int(inside[0])) if is_level_known else 1.0
        means[i] = level * expected[inside].sum()
        happened[i] = counts[inside].sum()
    ratios = np.ones(len(days))
    is_known = means > 0.5
    if is_known.sum() < _LEAST_DAYS:
        return ratios
    raw = happened[is_known] / means[is_known]
    whole = float(((raw - 1) ** 2).mean())
    own = max(0.0, whole - float((1 / means[is_known]).mean()))
    ratios[is_known] = 1 + (raw - 1) * np.sqrt(own / whole if whole else 0.0)
    return ratios


def _at_once(work: Work, hours: Hours) -> dict[str, float]:
    waits: dict[str, list[bool]] = {name: [] for name in WORK}
    for item in work.items:
        if item.scheduled in hours and item.scheduled + AT_ONCE_S in hours:
            waits[item.activity].append(_is_begun_at_once(item, hours.ended))
    return {name: _mean(each) for name, each in waits.items()}


def _follow_ups(work: Work, hours: Hours) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kinds in (("first", "at_once"), ("again",)):
        found[kinds[0]] = {}
        for name in WORK:
            turns = [
                spell
                for spell in work.spells
                if spell.activity == name
                and spell.kind in kinds
                and spell.began in hours
                and spell.ended in hours
            ]
            each = {
                other: sum(spell.follow_ups.count(other) for spell in turns) / len(turns)
                for other in WORK
                if turns
            }
            found[kinds[0]][name] = {other: mean for other, mean in each.items() if mean}
    return found


def _service(work: Work, hours: Hours, size: int = 500) -> dict[str, list[float]]:
    """Durations by so many of their quantiles at the most, the longest always among them."""
    found = {}
    for name in WORK:
        seconds = np.array(
            sorted(
                spell.ended - spell.began
                for spell in work.spells
                if spell.activity == name and spell.began in hours and spell.ended in hours
            )
            or [60.0]
        )
        count = min(size, len(seconds))
        places = (2 * np.arange(count) + 1) * len(seconds) // (2 * count)
        chosen = seconds[places]
        chosen[-1] = seconds[-1]
        found[name] = chosen.tolist()
    return found


def _closed(work: Work, hours: Hours) -> list[bool]:
    ends = hours.count([spell.ended for spell in work.spells if spell.is_done])
    return [bool(each < _OPEN_FROM) for each in _profile(hours, ends, None)]


def _mean(values: Iterable[bool]) -> float:
    listed = [*values]
    return sum(listed) / len(listed) if listed else 0.0


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp()


def main() -> None:
    """Fit the pace to the days of a log and write it to a file."""
    parser = argparse.ArgumentParser(description="Fit the desk's pace to some days of its log.")
    parser.add_argument("log", type=Path, help="the event log: bpic2012.csv.gz (see README.md)")
    parser.add_argument("pace", type=Path, help="the file to write, JSON")
    day = {"type": date.fromisoformat, "metavar": "DAY"}
    parser.add_argument("--from", dest="first", default=FIRST_DAY, help="the first day", **day)
    parser.add_argument("--to", dest="last", required=True, help="the last day", **day)
    chosen = parser.parse_args()
    pace = fit_pace(read_work(chosen.log), chosen.last, chosen.first)
    chosen.pace.write_text(pace.model_dump_json(), encoding="utf-8")
    print(f"{chosen.pace} is written: {pace.first} to {pace.last}")


if __name__ == "__main__":
    main()
