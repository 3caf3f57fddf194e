"""The environment: a `simpy.Environment` that can be steered, watched and paced.

>>> from despatch import DynamicEnvironment
>>> env = DynamicEnvironment()
>>> _ = env.timeout(3.0)
>>> env.run()
>>> env.now
3.0
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from despatch.egress import EgressMixIn
from despatch.lag import LAG_TOLERANCE, LagPolicy
from despatch.pacing import PacedEnvironment
from despatch.registry import Registry

if TYPE_CHECKING:
    from despatch.sampling import Streams

__all__ = ["DynamicEnvironment"]


class DynamicEnvironment(EgressMixIn, PacedEnvironment):
    """A SimPy environment with a registry, a clock and a way out for records.

    Args:
        initial_time: Simulated time at the start, in simulated seconds.
        factor: Wall seconds per simulated second: 1.0 is real time, 0.0 as fast as the machine
            allows.
        start: The wall time of simulated 0, with an offset. None knows no wall times.
        lag_tolerance: How late a paced simulation may be, of wall time: a timedelta, text such as
            ``500ms``, or seconds. None tolerates any lag.
        lag_policy: What happens when it is later: ``warn`` logs it once, and once more when it has
            recovered; ``stop`` ends the run with a `LagError`.
        seed: Seeds the random streams of `sample`; None takes one from the operating system.
        name: The simulation's name, which its records carry.

    Raises:
        TypeError: `factor` is no number, or `start` no datetime.
        ValueError: `factor` is negative or not finite, `start` is naive, `lag_tolerance` no
            duration of more than 0, or `lag_policy` another word.

    Attributes:
        registry: Every live parameter, by dotted path.
        clock: How simulated time follows wall time, and how late it is.
    """

    def __init__(
        self,
        initial_time: float = 0,
        *,
        factor: float = 0.0,
        start: datetime | None = None,
        lag_tolerance: timedelta | str | float | None = LAG_TOLERANCE,
        lag_policy: LagPolicy = "warn",
        seed: int | None = None,
        name: str = "simulation",
    ) -> None:
        super().__init__(
            initial_time,
            factor=factor,
            start=start,
            lag_tolerance=lag_tolerance,
            lag_policy=lag_policy,
        )
        self.name = name
        self.seed = secrets.randbits(63) if seed is None else seed
        self.registry = Registry(self)
        self._streams: Streams | None = None

    def sample(self, path: str) -> float:
        """Draw from the distribution that the registry has at `path` now.

        Each path has a stream of random numbers of its own, made from the seed and the path, so
        that a change at one leaves the draws of the others alone.

        Raises:
            UnknownPathError: There is no such path.
            TypeError: What is there is no distribution.
        """
        distribution = self.registry[path]
        try:
            draw = distribution.sample
        except AttributeError:
            raise TypeError(
                f"{path}: expected a distribution to sample from, found {distribution!r}"
            ) from None
        if self._streams is None:
            # numpy takes a tenth of a second to import: only those who sample pay for it.
            from despatch.sampling import Streams

            self._streams = Streams(self.seed)
        value: float = draw(self._streams.generator(path))
        return value
