"""A fan chart as SVG: the quantile bands of one figure in one scenario, and its limits.

It has no colours of its own but classes, which the page that it stands in gives their looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from despatch.forecasting.ticks import number_ticks, span_ticks, spelled, time_ticks

if TYPE_CHECKING:
    from despatch.forecasting.forecast import Forecast
    from despatch.forecasting.outlook import Outlook

__all__ = ["axis_of_time", "chart", "extent", "number", "pairs"]

WIDTH: Final = 460
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 22, 12, 46


@dataclass(frozen=True)
class _Frame:
    """Where values and times are on the paper."""

    seconds: float
    low: float
    high: float

    def x(self, elapsed: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * elapsed / self.seconds

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share


def pairs(outlook: Outlook) -> list[tuple[float, float]]:
    """The quantiles that bound a band, the widest first: 0.05 with 0.95, and so on."""
    shares = sorted(outlook.bands)
    return [
        (low, high)
        for low in shares
        for high in shares
        if low < high and math.isclose(low + high, 1.0)
    ]


def extent(outlooks: Iterable[Outlook]) -> tuple[float, float]:
    """From where to where an axis has to go for all of these, with their limits, and some air."""
    values: list[float] = []
    for outlook in outlooks:
        for band in outlook.bands.values():
            values.extend(each for each in band.value.tolist() if math.isfinite(each))
        values.extend(outlook.figure.limits.values())
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    # What begins near 0 is shown from 0: a band then looks as wide as it is.
    if 0 <= low <= 0.5 * high:
        low = 0.0
    air = 0.06 * (high - low) or max(1.0, abs(high) * 0.1)
    return (low if low == 0 else low - air), high + air


def axis_of_time(forecast: Forecast, about: int = 5) -> tuple[list[tuple[float, str]], str]:
    """The ticks of the axis of time, in seconds from the present, and what the axis is called."""
    seconds, wall_times = forecast.elapsed[-1], forecast.wall_times
    if wall_times is None:
        ticks, unit = span_ticks(seconds, about)
        return ticks, f"{unit} ahead"
    begin = wall_times[0]
    zone = begin.tzname() or ""
    if zone[:1] in ("+", "-"):
        zone = f"UTC{zone}"
    return time_ticks(begin, seconds, about), f"{begin.day} {begin:%B %Y}, {zone}"


def number(value: float) -> str:
    """A figure's value for people."""
    return spelled(float(f"{value:.4g}")) if math.isfinite(value) else "-"


def chart(forecast: Forecast, outlook: Outlook, low: float, high: float) -> str:
    """Draw a fan chart.

    Args:
        forecast: The forecast.
        outlook: The figure in one of its scenarios.
        low: Where the axis of values begins.
        high: Where it ends.
    """
    frame = _Frame(forecast.elapsed[-1], low, high)
    elapsed = forecast.elapsed
    figure = outlook.figure
    called = f"{figure.name} [{figure.unit}]" if figure.unit else figure.name
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(called)}">',
        *_axes(forecast, frame, called),
    ]
    for lower, upper in pairs(outlook):
        bottom, top = outlook.bands[lower].value.tolist(), outlook.bands[upper].value.tolist()
        parts.extend(
            f'<polygon class="band" points="{_points(frame, there)} {_points(frame, back)}"/>'
            for there, back in _stretches(elapsed, top, bottom)
        )
    middle = outlook.band(0.5).value.tolist()
    for there, _ in _stretches(elapsed, middle, middle):
        parts.append(f'<polyline class="median" points="{_points(frame, there)}"/>')
    for side, limit in figure.limits.items():
        y = frame.y(limit)
        parts.append(
            f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        word = "not above" if side == "above" else "not below"
        parts.append(
            f'<text class="limit" x="{WIDTH - _RIGHT - 4}" y="{y - 4:.1f}" text-anchor="end">'
            f"{word} {number(limit)}</text>"
        )
    parts.extend(_hovers(forecast, outlook, frame))
    return "".join([*parts, "</svg>"])


def _axes(forecast: Forecast, frame: _Frame, called: str) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for tick in number_ticks(frame.low, frame.high):
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{spelled(tick)}</text>'
        )
    ticks, unit = axis_of_time(forecast)
    for after, label in ticks:
        x = frame.x(after)
        parts.append(
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{label}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<line class="tick" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text class="axis" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{unit}</text>'
    )
    height = (_TOP + bottom) / 2
    parts.append(
        f'<text class="axis" transform="translate(14 {height}) rotate(-90)" text-anchor="middle">'
        f"{escape(called)}</text>"
    )
    return parts


def _stretches(
    elapsed: Sequence[float], top: Sequence[float], bottom: Sequence[float]
) -> Iterable[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    """Where there are values, without a gap: the way there along the top, and back below."""
    there: list[tuple[float, float]] = []
    back: list[tuple[float, float]] = []
    for at, upper, lower in zip(elapsed, top, bottom, strict=True):
        if math.isfinite(upper) and math.isfinite(lower):
            there.append((at, upper))
            back.append((at, lower))
        elif there:
            yield there, back[::-1]
            there, back = [], []
    if there:
        yield there, back[::-1]


def _points(frame: _Frame, points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{frame.x(at):.1f},{frame.y(value):.1f}" for at, value in points)


def _hovers(forecast: Forecast, outlook: Outlook, frame: _Frame) -> Iterable[str]:
    """A strip for each grid point, which tells its numbers to whoever points at it."""
    elapsed, wall_times = forecast.elapsed, forecast.wall_times
    means = outlook.mean.tolist()
    for point, at in enumerate(elapsed):
        left = frame.x(at if point == 0 else (elapsed[point - 1] + at) / 2)
        right = frame.x(at if at == elapsed[-1] else (at + elapsed[point + 1]) / 2)
        when = f"{number(at)} s ahead" if wall_times is None else f"{wall_times[point]:%H:%M:%S}"
        lines = [when, f"mean {number(means[point])}"]
        lines += [
            f"{100 * share:g} %: {number(band.value[point])}"
            for share, band in sorted(outlook.bands.items(), reverse=True)
        ]
        yield (
            f'<rect class="hover" x="{left:.1f}" width="{max(right - left, 1.0):.1f}" '
            f'y="{_TOP}" height="{HEIGHT - _TOP - _BOTTOM}">'
            f"<title>{escape(chr(10).join(lines))}</title></rect>"
        )
