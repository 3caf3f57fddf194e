"""The loan desk's picture: what it shows is what the comparison found."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from comparison import compare
from log import read_log
from matplotlib.colors import to_hex
from matplotlib.dates import num2date
from plot import MODEL, QUARTER, REAL, picture, save

from loan_desk_logs import (
    COMPLETION,
    MONDAY,
    busy_week,
    moment,
    one_application,
    row,
    run_days,
    write_log,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot")
    another = [row(moment(8, at), "x", COMPLETION, what) for at, what in CALL]
    path = write_log(folder, [*busy_week(), *one_application("one"), *another])
    log = read_log(path)
    window = log.window()
    return compare(path, run_days(log, window, folder), window)


CALL = [("08:00", "SCHEDULE"), ("09:00", "START"), ("09:20", "COMPLETE")]


def drawn(axes, style):
    """The points of the lines of this colour, line by line."""
    return [
        list(zip(*line.get_data(), strict=True))
        for line in axes.lines
        if to_hex(line.get_color()) == style["color"].lower()
    ]


def test_the_weeks_are_those_of_the_comparison(database):
    throughput, _ = picture(database).axes
    (real,), (model,) = (drawn(throughput, style) for style in (REAL, MODEL))
    weeks = database.execute("SELECT monday, real, model FROM throughput_by_week").fetchall()
    assert len(weeks) == 2
    middles = [monday + timedelta(days=3) for monday, _, _ in weeks]
    assert [each for each, _ in real] == [each for each, _ in model] == middles
    assert [count for _, count in real] == [count for _, count, _ in weeks]
    assert [count for _, count in model] == [count for _, _, count in weeks]


def test_the_waits_are_those_of_the_comparison(database):
    _, waiting = picture(database).axes
    rows = database.execute("FROM waiting WHERE work <> 'call-backs'").fetchall()
    names = [label.get_text().split("\n")[0] for label in waiting.get_yticklabels()]
    assert names[::-1] == [work for work, *_ in rows]
    for style, column in ((REAL, 2), (MODEL, 3)):
        shown = [points for points in drawn(waiting, style) if len(points) == 1]
        by_row = [[hours for ((hours, _),) in shown[n : n + 2]] for n in range(0, len(shown), 2)]
        found = [[each[column], each[column + 2]] for each in rows]
        assert by_row[::-1] == [[max(hours, QUARTER) for hours in pair] for pair in found]


def test_axes_say_what_they_show(database):
    throughput, waiting = picture(database).axes
    assert throughput.get_ylabel() == "turns finished in the week"
    assert waiting.get_xlabel() == "hours waited for staff, logarithmic"
    assert [text.get_text() for text in throughput.get_legend().texts] == ["real", "model"]
    assert [text.get_text() for text in waiting.get_legend().texts] == [
        "median",
        "nine of ten within",
    ]


def test_days_that_are_no_steady_state_are_set_apart(database):
    throughput, _ = picture(database).axes
    assert not throughput.texts
    throughput, _ = picture(database, settled=date(2011, 11, 16), last=date(2011, 11, 19)).axes
    assert [text.get_text() for text in throughput.texts] == [
        "the desk fills up",
        "nothing new\ncomes in",
    ]
    left, right = throughput.patches
    assert num2date(left.get_x() + left.get_width()).date() == date(2011, 11, 16)
    assert num2date(right.get_x()).date() == date(2011, 11, 19)


def test_an_activity_that_one_side_has_not_served_is_drawn_for_the_other(tmp_path):
    path = write_log(tmp_path, one_application())
    log = read_log(path)
    nobody = [{"calls": 0, "assessment": 0}] * 10
    records = run_days(log, log.week(MONDAY), tmp_path, nobody)
    _, waiting = picture(compare(path, records, log.week(MONDAY))).axes
    assert len([points for points in drawn(waiting, REAL) if len(points) == 1]) == 2
    assert drawn(waiting, MODEL) == []


def test_the_same_comparison_gives_the_same_file(database, tmp_path):
    paths = [tmp_path / name for name in ("a.svg", "b.svg")]
    for path in paths:
        save(picture(database), path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"<svg" in first


def test_a_picture_may_be_made_of_points(database, tmp_path):
    save(picture(database), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
