"""Stopping: when a forecast is exact enough, though fewer replications than planned are done.

Who looks at an interval after every few replications, and stops at the first that is narrow
enough, stops too early too often: that interval misses the truth more often than it says. So it
is laid down beforehand how often there is a look, and what could go wrong is shared out among
them (Bonferroni): with K looks, each interval has the confidence 1 - (1 - c) / K, and whichever
look is the last, its interval covers with the confidence c at least. Looks are few: each comes
after half as many replications again as the one before.

A relative target r is compared with r / (1 + r) of the mean that was found, so that the error
is at most r of the true mean (Law, "Simulation Modeling and Analysis", 5th edition, 9.4.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from despatch.settings.forecast import share_of

if TYPE_CHECKING:
    from despatch.forecasting.outlook import Outlook
    from despatch.settings.forecast import PrecisionSettings

__all__ = ["confidence_of_a_look", "is_exact_enough", "looks"]

_GROWTH: Final = 1.5


def looks(precision: PrecisionSettings | None, at_most: int) -> list[int]:
    """After how many replications there is a look; the last is the most there are.

    Args:
        precision: What is asked for; None is all replications.
        at_most: How many replications there are at most.
    """
    if precision is None:
        return [at_most]
    found: list[int] = []
    count = precision.at_least
    while count < at_most:
        found.append(count)
        count = math.ceil(count * _GROWTH)
    return [*found, at_most]


def confidence_of_a_look(confidence: float, how_many: int) -> float:
    """The confidence of each interval, so that the last look's covers with the one asked for."""
    return 1 - (1 - confidence) / how_many


def is_exact_enough(outlooks: Sequence[Outlook], precision: PrecisionSettings) -> bool:
    """Whether all figures are as exact at their last grid point as they were asked to be.

    A figure that has no value there in two replications or more is not.

    Args:
        outlooks: Every figure in every scenario.
        precision: What is asked for.
    """
    return all(_is_exact(outlook, precision) for outlook in outlooks)


def _is_exact(outlook: Outlook, precision: PrecisionSettings) -> bool:
    target: float | str | None
    if isinstance(precision.mean, dict):
        target = precision.mean.get(outlook.figure.name)
    else:
        target = precision.mean
    if target is not None:
        last = outlook.estimate_at(-1)
        if last is None or last.half_width is None:
            return False
        share = share_of(target)
        enough = float(target) if share is None else share / (1 + share) * abs(last.mean)
        if last.half_width > enough:
            return False
    if precision.probability is not None:
        for crossing in outlook.crossings.values():
            half_width = float(crossing.high[-1] - crossing.low[-1]) / 2
            if half_width > precision.probability:
                return False
    return True
