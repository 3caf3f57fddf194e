"""The desk that forecasts are of, in numbers alone, so that a rival's part can have them too.

M/M/4, nine tenths busy: 26,000 customers in eight hours.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ARRIVAL_RATE", "BUSY", "HORIZON_S", "POINTS", "SERVERS", "SERVICE_RATE"]

HORIZON_S: Final = 8 * 3600
POINTS: Final = 200
"""How often the desk is looked at on the way; nagasim's default."""
SERVERS: Final = 4
ARRIVAL_RATE: Final = 26_000 / HORIZON_S
"""In customers a second."""
SERVICE_RATE: Final = 0.25
"""Of one server, in customers a second."""
BUSY: Final = ARRIVAL_RATE / SERVICE_RATE
"""How many servers are busy on average: the check that both sides play the same."""
