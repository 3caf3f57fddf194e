"""The picture: a forecast's fan charts as a PNG, drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from despatch.errors import PluginError
from despatch.forecasting.chart import axis_of_time, extent, number, pairs
from despatch.forecasting.telling import crossing_in_words, headline, legend

if TYPE_CHECKING:
    from despatch.forecasting.forecast import Forecast
    from despatch.forecasting.outlook import Outlook

__all__ = ["check_can_draw", "draw"]

_BLUE: Final = "#2f7ed8"
_RED: Final = "#c8372d"
_INK: Final = "#1f2733"
_FAINT: Final = "#66707d"
_RULE: Final = "#e2e6eb"
_DPI: Final = 160


def check_can_draw() -> None:
    """Find out whether there is matplotlib.

    Raises:
        PluginError: There is not; with what to do.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise PluginError(
            "a picture needs matplotlib, which is not installed; install it: "
            'pip install "despatch[pictures]"'
        ) from error


def draw(forecast: Forecast, file: str | Path) -> None:
    """Draw the fan charts: a row for each figure, and the scenarios side by side.

    Args:
        forecast: The forecast.
        file: Where the PNG is put.

    Raises:
        PluginError: There is no matplotlib.
        OSError: The file cannot be written.
    """
    check_can_draw()
    from matplotlib.figure import Figure

    figures, scenarios = forecast.figures, forecast.scenarios
    width, height = max(6.4, 4.6 * len(scenarios)), 3.1 * len(figures) + 0.7
    sheet = Figure(figsize=(width, height), layout="constrained")
    about = f"{headline(forecast)}\n{legend(forecast)}"
    sheet.suptitle(about, fontsize=8.5, color=_FAINT, x=0.01, ha="left")
    axes = sheet.subplots(len(figures), len(scenarios), squeeze=False, sharex=True, sharey="row")
    for row, figure in zip(axes, figures, strict=True):
        outlooks = {name: each[figure.name] for name, each in scenarios.items()}
        low, high = extent(outlooks.values())
        for column, (axis, (name, outlook)) in enumerate(zip(row, outlooks.items(), strict=True)):
            _draw_one(forecast, outlook, axis)
            axis.set_ylim(low, high)
            _title(axis, name, outlook, is_alone=len(scenarios) == 1)
            if column == 0:
                axis.set_ylabel(
                    f"{figure.name}\n[{figure.unit}]" if figure.unit else figure.name, fontsize=9
                )
    ticks, called = axis_of_time(forecast, about=4)
    for axis in axes[-1]:
        axis.set_xticks([at for at, _ in ticks], [label for _, label in ticks])
        axis.set_xlabel(called, color=_FAINT, fontsize=9)
    sheet.align_ylabels(axes)
    sheet.savefig(file, dpi=_DPI, format="png")


def _draw_one(forecast: Forecast, outlook: Outlook, axis: Any) -> None:
    elapsed = forecast.elapsed
    for lower, upper in pairs(outlook):
        bottom, top = outlook.bands[lower].value, outlook.bands[upper].value
        axis.fill_between(elapsed, bottom, top, color=_BLUE, alpha=0.22, linewidth=0)
    axis.plot(elapsed, outlook.band(0.5).value, color=_BLUE, linewidth=1.8)
    for side, limit in outlook.figure.limits.items():
        axis.axhline(limit, color=_RED, linewidth=1.2, linestyle=(0, (5, 3)))
        axis.annotate(
            f"not {side} {number(limit)}",
            (1, limit),
            (-4, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=_RED,
        )
    axis.set_xlim(elapsed[0], elapsed[-1])
    axis.grid(axis="y", color=_RULE)
    axis.set_axisbelow(True)
    axis.tick_params(colors=_INK, labelsize=8)
    axis.tick_params(axis="y", length=0)
    for edge in ("top", "right", "left"):
        axis.spines[edge].set_visible(False)


def _title(axis: Any, name: str, outlook: Outlook, *, is_alone: bool) -> None:
    lines = [] if is_alone else [name]
    lines += [crossing_in_words(outlook, each) for each in outlook.crossings.values()]
    axis.set_title("\n".join(lines), fontsize=8.5, loc="left", color=_INK)
