"""Picture: all forecasts beside what came, and whether their bands keep what they promise.

It is drawn by matplotlib, which is optional: ``pip install "despatch[pictures]"``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from despatch.backtesting.result import Backtest, Score, ScoredForecast
from despatch.backtesting.table import summary, table
from despatch.forecasting.picture import check_can_draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "draw", "save"]

SUFFIXES: Final = (".png", ".svg", ".html")
"""What a picture can be saved as."""

# Two of Okabe and Ito's colours, told apart by everybody.
_FORECAST: Final = "#0072B2"
_MISSED: Final = "#D55E00"
_INK: Final = "#222222"
_GRID: Final = "#e4e4e4"
_BINS: Final = 10
_SHOWN: Final = 14


def draw(backtest: Backtest, *, shown: int = _SHOWN) -> Figure:
    """Draw a backtest: a row for each figure, and three panels in each.

    On the left, so many forecasts in the middle of the history as fans, with what came as a line.
    In the middle, all forecasts at their last time ahead: each is a bar of its bands, beneath what
    came, and stands out where that is beyond the widest. On the right, how often the bands held
    what came against how often they promised to, with Wilson's interval, and how what came is
    spread over the forecasts' own distributions.

    Args:
        backtest: The backtest.
        shown: How many fans.

    Raises:
        PluginError: matplotlib is not installed.
    """
    figures = list(dict.fromkeys(score.figure for score in backtest.scores))
    figure = _figure(len(figures))
    axes = figure.subplots(len(figures), 3, width_ratios=[5, 6, 2.4], squeeze=False)
    for row, name in zip(axes, figures, strict=True):
        cases = [case for case in backtest.forecasts if case.figure == name]
        score = backtest.score(name)
        for each in row:
            each.spines[["top", "right"]].set_visible(False)
            each.grid(color=_GRID, linewidth=0.8)
            each.set_axisbelow(True)
        _draw_fans(row[0], name, _middle(cases, shown))
        at_last = [case for case in cases if case.ahead_s == score.ahead_s]
        _draw_all(row[1], at_last, score)
        _draw_reliability(row[2], score)
    return figure


def save(backtest: Backtest, path: Path, *, shown: int = _SHOWN) -> None:
    """Draw a backtest and write the picture to a file.

    Args:
        backtest: The backtest.
        path: The file, of one of the `SUFFIXES`.
        shown: How many fans.

    Raises:
        PluginError: matplotlib is not installed.
        ValueError: The file is to be something else.
        OSError: It cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a file that ends with {', '.join(SUFFIXES)}")
    figure = draw(backtest, shown=shown)
    if path.suffix == ".png":
        figure.savefig(path, dpi=110)
        return
    import matplotlib as mpl

    drawn = io.StringIO()
    # The same backtest gives the same file.
    with mpl.rc_context({"svg.hashsalt": backtest.name}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    path.write_text(_page(backtest, svg) if path.suffix == ".html" else svg, encoding="utf-8")


def _figure(rows: int) -> Figure:
    check_can_draw()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.6 * rows), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.12)
    return figure


def _page(backtest: Backtest, svg: str) -> str:
    """A page that needs nothing else: the picture, and the scores as a table."""
    columns = table(backtest).columns
    head = "".join(f"<th>{escape(str(each.header))}</th>" for each in columns)
    cells = zip(*([str(cell) for cell in each.cells] for each in columns), strict=True)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells
    )
    title = escape(summary(backtest))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:sans-serif;margin:2em}svg{max-width:100%;height:auto}"
        "td,th{padding:.2em .8em;text-align:right}</style></head>"
        f"<body><h1>{title}</h1>{svg[svg.index('<svg') :]}"
        f"<table><tr>{head}</tr>{rows}</table></body></html>\n"
    )


def _middle(cases: Sequence[ScoredForecast], count: int) -> list[list[ScoredForecast]]:
    """The cases of so many instants in the middle, instant by instant."""
    by_instant: dict[datetime, list[ScoredForecast]] = {}
    for case in cases:
        by_instant.setdefault(case.instant, []).append(case)
    groups = list(by_instant.values())
    begin = max(0, (len(groups) - count) // 2)
    return groups[begin : begin + count]


def _draw_fans(axes: Axes, name: str, groups: Sequence[Sequence[ScoredForecast]]) -> None:
    for group in groups:
        times: Any = [case.instant + timedelta(seconds=case.ahead_s) for case in group]
        for i in reversed(range(len(group[0].low))):
            low, high = [case.low[i] for case in group], [case.high[i] for case in group]
            axes.fill_between(times, low, high, color=_FORECAST, alpha=0.22, linewidth=0)
        axes.plot(times, [case.actual for case in group], color=_INK, linewidth=1.4)
    axes.set_ylabel(name)
    axes.set_title(f"{len(groups)} of them in the middle", loc="left", fontsize=10)
    _tell_dates(axes)


def _draw_all(axes: Axes, cases: Sequence[ScoredForecast], score: Score) -> None:
    times: Any = [case.instant + timedelta(seconds=case.ahead_s) for case in cases]
    widths = (2.2, 4.0, 5.2)
    for i in reversed(range(len(score.coverage))):
        low, high = [case.low[i] for case in cases], [case.high[i] for case in cases]
        width = widths[min(len(score.coverage) - 1 - i, len(widths) - 1)]
        axes.vlines(times, low, high, color=_FORECAST, alpha=0.3, linewidth=width)
    is_held = [case.low[-1] <= case.actual <= case.high[-1] for case in cases]
    for held, colour, size in ((True, _INK, 7), (False, _MISSED, 16)):
        chosen = [i for i, each in enumerate(is_held) if each is held]
        axes.scatter(
            [times[i] for i in chosen],
            [cases[i].actual for i in chosen],
            s=size,
            color=colour,
            zorder=3,
        )
    missed = is_held.count(False)
    level = 100 * score.coverage[-1].level
    axes.set_title(
        f"all {len(cases)}, {_hours(score.ahead_s)} ahead; {missed} beyond the {level:g} % band",
        loc="left",
        fontsize=10,
    )
    _tell_dates(axes)


def _draw_reliability(axes: Axes, score: Score) -> None:
    edges = [i / _BINS for i in range(_BINS)]
    density = [share * _BINS for share in score.pit]
    bars = [each / max(*density, 2.0) for each in density]
    axes.bar(edges, bars, width=1 / _BINS, align="edge", color=_GRID, linewidth=0)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--")
    for each in score.coverage:
        axes.plot([each.level] * 2, [each.low, each.high], color=_FORECAST, linewidth=1.5)
        axes.plot([each.level], [each.share], "o", color=_FORECAST, markersize=5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("promised")
    axes.set_ylabel("held")
    axes.set_title("coverage", loc="left", fontsize=10)


def _tell_dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"
