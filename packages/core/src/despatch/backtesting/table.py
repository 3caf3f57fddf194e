"""Table: what a backtest came to, for people."""

from __future__ import annotations

from rich.table import Table

from despatch.backtesting.result import Backtest, Score
from despatch.renderings import counted

__all__ = ["summary", "table"]


def summary(backtest: Backtest) -> str:
    """What was done, in a line.

    Args:
        backtest: The backtest.
    """
    moments = [case.instant for case in backtest.forecasts]
    when = f", {min(moments).isoformat()} to {max(moments).isoformat()}" if moments else ""
    instants = counted(backtest.instants, "instant")
    each = counted(backtest.replications, "replication")
    return f"{backtest.name}: {instants}{when}, {each} each, seed {backtest.seed}"


def table(backtest: Backtest) -> Table:
    """A row for each figure and time ahead.

    Args:
        backtest: The backtest.
    """
    percent = f"{100 * backtest.confidence:g} %"
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("figure")
    found.add_column("ahead", justify="right")
    found.add_column("forecasts", justify="right")
    for level in backtest.levels:
        found.add_column(f"in the {100 * level:g} % band ({percent})", justify="right")
    for title in (f"bias ({percent})", "CRPS", "of no model", "skill"):
        found.add_column(title, justify="right")
    for score in backtest.scores:
        found.add_row(
            score.figure,
            _duration(score.ahead_s),
            f"{score.count:,}",
            *(
                f"{each.share:.1%} ({each.low:.0%} to {each.high:.0%})".replace("%", " %")
                for each in score.coverage
            ),
            _bias(score),
            f"{score.crps:.4g}",
            "" if score.naive_crps is None else f"{score.naive_crps:.4g}",
            "" if score.skill is None else f"{score.skill:.0%}".replace("%", " %"),
        )
    return found


def _bias(score: Score) -> str:
    half = score.bias.half_width
    return f"{score.bias.mean:+.3g}" + ("" if half is None else f" ± {half:.2g}")


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
