"""Numbers: what of a value can be reckoned with."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

__all__ = ["finite_number"]


def finite_number(value: Any) -> float | None:
    """A value as a number, where it is a finite one; True and False are none."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
