"""Staffing: who worked at which desk in which hour, and how, from the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from log import HOUR, Log, Turn, Window

__all__ = ["TEAMS", "heads_by_hour", "pauses", "service_times", "team_of"]

TEAMS: Mapping[str, frozenset[str]] = {
    "calls": frozenset({"leads", "completion", "offer_calls", "file_calls"}),
    "assessment": frozenset({"assessment", "fraud"}),
}
"""The two teams and their work. In the log hardly anybody does much of both."""


def team_of(activity: str) -> str:
    """The team that does this work."""
    return next(team for team, activities in TEAMS.items() if activity in activities)


def service_times(log: Log) -> dict[str, list[float]]:
    """For each activity, how long its turns took, in seconds.

    Turns that were left open over night (0.4 % of the real log) are no measure of work, and
    left out.
    """
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for turn in log.turns:
        if not turn.is_left_open:
            seconds[turn.activity].append(turn.seconds)
    return dict(seconds)


def pauses(log: Log) -> dict[str, list[float]]:
    """For each team, how long its people took from one turn to the next, in seconds.

    Only pauses of less than an hour: whoever is away for longer is not counted as present in
    `heads_by_hour` either.
    """
    team, turns_of = _teams_of_people(log), _turns_of_people(log)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for person, turns in turns_of.items():
        for turn, following in pairwise(turns):
            pause = following.start - turn.end
            if pause < HOUR and not turn.is_left_open:
                seconds[team[person]].append(max(0.0, pause.total_seconds()))
    return dict(seconds)


def heads_by_hour(log: Log, window: Window) -> list[dict[str, int]]:
    """For each hour of the window, how many people of each team worked in it.

    A person counts in every hour in which they worked on a turn, as a member of the team whose
    work they mostly do. Turns by nobody in particular (a ninth of the real log) count for as
    many people as there were such turns at once.
    """
    team = _teams_of_people(log)
    people: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    unnamed: defaultdict[tuple[int, str], list[Turn]] = defaultdict(list)
    for turn in log.turns:
        if turn.start not in window:
            continue
        last = turn.start if turn.is_left_open else turn.end
        for hour in range(_hour(window, turn.start), _hour(window, last) + 1):
            if turn.staff:
                people[hour, team[turn.staff]].add(turn.staff)
            else:
                unnamed[hour, team_of(turn.activity)].append(turn)
    return [
        {name: len(people[hour, name]) + _most_at_once(unnamed[hour, name]) for name in TEAMS}
        for hour in range(window.hours)
    ]


def _hour(window: Window, moment: datetime) -> int:
    return (moment - window.start) // HOUR


def _most_at_once(turns: Sequence[Turn]) -> int:
    return max(
        (sum(other.start <= turn.start < other.end for other in turns) for turn in turns),
        default=0,
    )


def _turns_of_people(log: Log) -> dict[str, list[Turn]]:
    turns: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in log.turns:
        if turn.staff:
            turns[turn.staff].append(turn)
    return turns


def _teams_of_people(log: Log) -> dict[str, str]:
    return {
        person: _most_frequent(team_of(turn.activity) for turn in turns)
        for person, turns in _turns_of_people(log).items()
    }


def _most_frequent(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]
