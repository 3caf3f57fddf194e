"""The picture: throughput and waiting times, really and in the model.

python plot.py bpic2012.csv.gz out/loan_desk/RUN_ID.jsonl loan_desk.svg
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import matplotlib as mpl
from arguments import window_arguments, window_of
from comparison import compare, settled_at
from log import read_log
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

__all__ = ["picture", "save"]

# Two of Okabe and Ito's colours, told apart by everybody, and by their shapes as well.
REAL: dict[str, Any] = {"color": "#0072B2", "marker": "o"}
MODEL: dict[str, Any] = {"color": "#D55E00", "marker": "D"}
GREY = "#666666"
HOLLOW = {"markerfacecolor": "white"}

QUARTER = 0.25
"""In hours: what is less is drawn there, since a logarithmic axis has no zero."""

HALF_A_WEEK = timedelta(days=4)

HOURS = {0.25: "≤ ¼", 1: "1", 4: "4", 12: "12", 24: "1 day", 72: "3 days", 168: "1 week"}


def picture(
    database: duckdb.DuckDBPyConnection, *, settled: date | None = None, last: date | None = None
) -> Figure:
    """Draw a comparison.

    Args:
        database: What `compare` gave.
        settled: From when on waiting counts, if not from the beginning; shaded before it.
        last: The day of the last application, if the run goes on after it; shaded from there on.
    """
    figure = Figure(figsize=(9, 7), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    above, below = figure.subplots(2, 1, height_ratios=[5, 4])
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
    draw_throughput(above, database, settled, last)
    draw_waiting(below, database)
    return figure


def draw_throughput(
    axes: Axes, database: duckdb.DuckDBPyConnection, settled: date | None, last: date | None
) -> None:
    """Turns finished in each week, in its middle."""
    weeks = database.execute("SELECT monday + 3, real, model FROM throughput_by_week").fetchall()
    middles, real, model = zip(*weeks, strict=True)
    axes.plot(middles, real, label="real", linewidth=2, markersize=5, **REAL)
    axes.plot(middles, model, label="model", linewidth=1.2, markersize=4, **MODEL)
    axes.set_ylim(bottom=0, top=1.15 * max(*real, *model))
    axes.set_ylabel("turns finished in the week")
    axes.set_title("Throughput", loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MonthLocator())
    axes.xaxis.set_major_formatter(ConciseDateFormatter(MonthLocator()))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, loc="lower center", ncols=2)
    first, end = middles[0] - HALF_A_WEEK, middles[-1] + HALF_A_WEEK
    axes.set_xlim(first, end)
    if settled:
        shade(axes, first, settled, "the desk fills up")
    if last:
        shade(axes, last, end, "nothing new\ncomes in")


def shade(axes: Axes, first: date, last: date, why: str) -> None:
    """Set some days apart."""
    axes.axvspan(first, last, color="#f0f0f0", linewidth=0)
    place = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "top", "color": GREY}
    axes.annotate(why, (first + (last - first) / 2, 0.98), fontsize=9, **place)


def draw_waiting(axes: Axes, database: duckdb.DuckDBPyConnection) -> None:
    """How long staff let wait: median and 90th percentile of each kind of work."""
    rows = database.execute("FROM waiting WHERE work <> 'call-backs'").fetchall()
    ticks = []
    for place, (work, turns, *hours) in enumerate(reversed(rows)):
        ticks.append((place, f"{work}\n{turns:,} turns"))
        medians, nineties = hours[:2], hours[2:]
        for up, which, median, ninetieth in zip(
            (0.14, -0.14), (REAL, MODEL), medians, nineties, strict=True
        ):
            if median is None:  # nothing of it was begun
                continue
            shown = [max(each, QUARTER) for each in (median, ninetieth)]
            y = place + up
            axes.plot(shown, [y, y], color=which["color"], linewidth=1.5, alpha=0.5)
            axes.plot(shown[:1], [y], linestyle="", markersize=7, **which)
            axes.plot(shown[1:], [y], linestyle="", markersize=7, **which, **HOLLOW)
    axes.set_xscale("log")
    axes.set_xlim(0.9 * QUARTER, 1.1 * max(HOURS))
    axes.xaxis.set_major_locator(FixedLocator(list(HOURS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda hours, _: HOURS[hours]))
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("hours waited for staff, logarithmic")
    axes.set_title("Waiting times", loc="left", fontweight="bold")
    for label, style in (("median", {}), ("nine of ten within", HOLLOW)):
        axes.plot([], [], "o", color=GREY, markersize=7, label=label, **style)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)


def save(figure: Figure, path: Path) -> None:
    """Write the picture; as SVG the same picture gives the same file."""
    with mpl.rc_context({"svg.hashsalt": "loan desk"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def main() -> None:
    """Draw the comparison of a run that is over."""
    parser = window_arguments("Draw a run beside what really happened.")
    parser.add_argument("records", help="the run's records: a file or a glob")
    parser.add_argument("picture", type=Path, help="the file to write: SVG or PNG")
    chosen = parser.parse_args()
    log = read_log(chosen.log)
    window = window_of(log, chosen)
    settled, last = settled_at(log, window), log.applications[-1].arrived
    drawn = picture(
        compare(chosen.log, chosen.records, window, settled),
        settled=settled.date() if settled else None,
        last=last.date() if last in window else None,
    )
    save(drawn, chosen.picture)
    print(f"{chosen.picture} is written")


if __name__ == "__main__":
    main()
