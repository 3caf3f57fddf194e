"""The settings of a backtest: which history, which bands, and how much of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from despatch.mistakes import mistake
from despatch.settings.types import CallableName, Count, Number, Part

__all__ = ["BacktestSettings"]


def _growing(levels: list[float]) -> list[float]:
    if sorted(set(levels)) != levels:
        raise mistake("levels in growing order, each once")
    return levels


class BacktestSettings(Part):
    """A backtest of the forecasts that `forecast` is about.

    Attributes:
        history: Where the recorded history is, as ``module:callable``; the callable is called
            without arguments and gives a `History`. None where it is given in Python.
        levels: With which probability each band is to hold what comes.
        sample: Take so many of the history's instants, evenly spread; None takes all.
    """

    history: CallableName | None = None
    levels: Annotated[
        list[Annotated[Number, Field(gt=0, lt=1)]],
        Field(min_length=1),
        AfterValidator(_growing),
    ] = Field(default_factory=lambda: [0.5, 0.8, 0.9])
    sample: Count | None = None
