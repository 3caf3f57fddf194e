"""The page: a forecast as one HTML file that needs nothing else, for light and dark screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from despatch.forecasting.chart import chart, extent
from despatch.forecasting.telling import (
    COLUMNS,
    DIFFERENCE_COLUMNS,
    crossing_in_words,
    differences,
    headline,
    legend,
    percent,
    rows,
)

if TYPE_CHECKING:
    from despatch.forecasting.forecast import Forecast

__all__ = ["page_of"]

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2733; --faint: #66707d; --rule: #e2e6eb;
  --paper: #ffffff; --band: #2f7ed8; --limit: #c8372d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --faint: #98a2af; --rule: #333b46;
  --paper: #15191f; --band: #5aa2f0; --limit: #ff7b70; } }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1.2rem; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .3rem; }
h3 { font-size: .95rem; margin: 0 0 .2rem; font-weight: 600; } p { margin: .2rem 0; }
p.about, .what, footer { color: var(--faint); font-size: .85rem; }
.charts { display: grid; gap: 1rem 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.chart { max-width: 44rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 11px; }
svg text.axis { fill: var(--faint); } svg text.limit { fill: var(--limit); }
.grid { stroke: var(--rule); } .tick { stroke: var(--faint); }
.band { fill: var(--band); fill-opacity: .22; }
.median { fill: none; stroke: var(--band); stroke-width: 2; stroke-linejoin: round; }
line.limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 6 4; }
.hover { fill: transparent; } .hover:hover { fill: var(--ink); fill-opacity: .08; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: .4rem; }
.wide { overflow-x: auto; } th, td { padding: .25rem .8rem .25rem 0; text-align: right; }
th { color: var(--faint); font-weight: 500; border-bottom: 1px solid var(--rule); }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; } footer { margin-top: 2.5rem; }
"""


def page_of(forecast: Forecast) -> str:
    """Make the page."""
    title = f"Forecast of {forecast.name}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{escape(title)}</h1><p class="about">{escape(headline(forecast))}</p>',
        f'<p class="about">{escape(legend(forecast))}</p>',
        *_sections(forecast),
        "<h2>At the horizon</h2>",
        _table([*COLUMNS, *map(percent, forecast.quantiles)], rows(forecast)),
    ]
    if len(forecast.scenarios) > 1:
        parts += [
            "<h2>Compared with the base, by the same seeds</h2>",
            '<p class="what">The difference is scenario less base. With so much probability, '
            "with the same luck, the figure is lower or higher than in the base.</p>",
            _table(DIFFERENCE_COLUMNS, differences(forecast)),
        ]
    parts.append(f"<footer>{escape(forecast.digest)}</footer></body></html>\n")
    return "\n".join(parts)


def _sections(forecast: Forecast) -> Iterable[str]:
    for figure in forecast.figures:
        outlooks = {name: each[figure.name] for name, each in forecast.scenarios.items()}
        low, high = extent(outlooks.values())
        yield f'<h2>{escape(figure.name)}</h2><div class="charts">'
        for name, outlook in outlooks.items():
            parameters = forecast.scenarios[name].parameters
            yield f'<div class="chart"><h3>{escape(name)}</h3>'
            yield chart(forecast, outlook, low, high)
            # A scenario that is called by what is otherwise in it needs no more.
            told = ", ".join(f"{path} = {value}" for path, value in parameters.items())
            if told and told.replace(" ", "") != name.replace(" ", ""):
                yield f'<p class="what">{escape(told)}</p>'
            for crossing in outlook.crossings.values():
                yield f"<p>{escape(crossing_in_words(outlook, crossing))}</p>"
            yield "</div>"
        yield "</div>"


def _table(head: Iterable[str], body: Sequence[Sequence[str]]) -> str:
    header = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body
    )
    return f'<div class="wide"><table><tr>{header}</tr>{lines}</table></div>'
