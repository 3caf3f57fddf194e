"""Distributions: the families that a model may draw from, each with its parameters.

A distribution is a value: frozen, validated, one of the registry's. A draw is made from one
standard variate (see `despatch.distributions.variates`) and from the parameters; those that were
accepted give finite draws. Where nothing else is said, the parameters and formulas are those of
A. M. Law, Simulation Modeling and Analysis, 5th edition, 2015, chapters 6 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from despatch.distributions.truncated_normal import truncated_normal_quantile
from despatch.distributions.variates import (
    LARGEST_EXPONENTIAL,
    LARGEST_NORMAL,
    Draw,
    GeneratorVariates,
    Variates,
)

if TYPE_CHECKING:
    from typing import Self

    from numpy.random import Generator

__all__ = [
    "FAMILIES",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Gamma",
    "LogNormal",
    "Normal",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
    "Weibull",
]

_SMALLEST_PROBABILITY: Final = 2.0**-53
"""What stands for 0, which numpy's uniform numbers may be, where the quantile has none."""


class _Family(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    def draws_from(self, variates: Variates) -> Draw:
        """What draws once, each time that it is called, of one variate each time."""
        raise NotImplementedError

    def sample(self, generator: Generator) -> float:
        """Draw once, without a registry.

        In a model, `DynamicEnvironment.sample` is faster, and gives each path a stream.

        Args:
            generator: A `numpy.random.Generator`.

        Raises:
            TypeError: This is no generator of numpy's.
        """
        return self.draws_from(GeneratorVariates(generator))()

    def _largest(self) -> float:
        """No draw is farther from 0, nor is anything that it is computed from."""
        return 0.0

    @model_validator(mode="after")
    def _draws_are_finite(self) -> Self:
        try:
            is_finite = math.isfinite(self._largest())
        except OverflowError:
            is_finite = False
        if not is_finite:
            raise ValueError("with these parameters a draw could be too large for a float")
        return self


class Constant(_Family):
    """Always the same value. A draw takes a variate all the same, and leaves it unused.

    Attributes:
        value: What every draw is.
    """

    family: Literal["constant"] = "constant"
    value: float

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        uniform, value = variates.uniforms(), self.value

        def draw() -> float:
            uniform()
            return value

        return draw


class Exponential(_Family):
    """The exponential distribution, such as the time between arrivals. Its mean is ``1 / rate``.

    Attributes:
        rate: Arrivals in a unit of simulated time, above 0.
    """

    family: Literal["exponential"] = "exponential"
    rate: float = Field(gt=0)

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        exponential, rate = variates.exponentials(), self.rate
        return lambda: exponential() / rate

    def _largest(self) -> float:
        return LARGEST_EXPONENTIAL / self.rate


class Normal(_Family):
    """The normal distribution. A draw may be negative: mind that where it is a duration.

    Attributes:
        mean: The mean.
        std: The standard deviation, at least 0.
    """

    family: Literal["normal"] = "normal"
    mean: float
    std: float = Field(ge=0)

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        normal, mean, std = variates.normals(), self.mean, self.std
        return lambda: mean + std * normal()

    def _largest(self) -> float:
        return abs(self.mean) + LARGEST_NORMAL * self.std


class TruncatedNormal(_Family):
    """The normal distribution between two bounds: as if draws beyond them were drawn again.

    With ``a`` and ``b`` for the bounds in standard deviations from `mean`, and φ and Φ for the
    standard normal density and distribution function, the mean of a draw is
    ``mean + std * (φ(a) - φ(b)) / (Φ(b) - Φ(a))``. Drawn as the quantile of a uniform number,
    which is accurate for bounds in the far tails too, see
    `despatch.distributions.truncated_normal`.

    Attributes:
        mean: The mean before truncation; may lie outside the bounds.
        std: The standard deviation before truncation, at least 0. At 0 every draw is the point
            between the bounds that is nearest to `mean`.
        low: The lower bound; None, the default, for none.
        high: The upper bound, not below `low`; None, the default, for none.
    """

    family: Literal["truncated_normal"] = "truncated_normal"
    mean: float
    std: float = Field(ge=0)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _has_something_between_its_bounds(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("high must not be below low")
        return self

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        uniform = variates.uniforms()
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        quantile = truncated_normal_quantile(self.mean, self.std, low, high)
        return lambda: quantile(uniform() or _SMALLEST_PROBABILITY)

    def _largest(self) -> float:
        farthest = max(abs(self.mean), abs(self.low or 0.0), abs(self.high or 0.0))
        return farthest + LARGEST_NORMAL * self.std


class LogNormal(_Family):
    """The log-normal distribution: its logarithm is normal. Often fits service times.

    Its mean is ``exp(mu + sigma² / 2)``, its median ``exp(mu)``.

    Attributes:
        mu: The mean of the logarithm.
        sigma: The standard deviation of the logarithm, at least 0.
    """

    family: Literal["lognormal"] = "lognormal"
    mu: float
    sigma: float = Field(ge=0)

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        normal, mu, sigma, exp = variates.normals(), self.mu, self.sigma, math.exp
        return lambda: exp(mu + sigma * normal())

    def _largest(self) -> float:
        return math.exp(self.mu + LARGEST_NORMAL * self.sigma)


class Gamma(_Family):
    """The gamma distribution, such as the sum of `shape` exponential phases.

    Its mean is ``shape * scale``, its variance ``shape * scale²``. Drawn by
    `numpy.random.Generator.standard_gamma`, which rejects (G. Marsaglia and W. W. Tsang, ACM
    Transactions on Mathematical Software 26, 2000): a new `scale` scales the draws, a new `shape`
    makes them anew from the same random bits.

    Attributes:
        shape: The shape, above 0; 1 is the exponential distribution.
        scale: The scale, above 0.
    """

    family: Literal["gamma"] = "gamma"
    shape: float = Field(gt=0)
    scale: float = Field(gt=0)

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        gamma, scale = variates.gammas(self.shape), self.scale
        return lambda: scale * gamma()

    def _largest(self) -> float:
        return self.scale * (math.sqrt(self.shape) + LARGEST_NORMAL) ** 2


class Weibull(_Family):
    """The Weibull distribution, such as the time to a failure.

    Its mean is ``scale * Γ(1 + 1 / shape)``. Below 1 the `shape` makes failures rarer with age,
    above 1 more frequent, and at 1 this is the exponential distribution.

    Attributes:
        shape: The shape, above 0.
        scale: The scale, above 0; a draw is below it with probability ``1 - 1/e``.
    """

    family: Literal["weibull"] = "weibull"
    shape: float = Field(gt=0)
    scale: float = Field(gt=0)

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        exponential, power, scale = variates.exponentials(), 1 / self.shape, self.scale
        return lambda: scale * exponential() ** power

    def _largest(self) -> float:
        return float(self.scale * LARGEST_EXPONENTIAL ** (1 / self.shape))


class Uniform(_Family):
    """The uniform distribution between two bounds. Its mean is ``(low + high) / 2``.

    Attributes:
        low: The lower bound, inclusive.
        high: The upper bound, not below `low`.
    """

    family: Literal["uniform"] = "uniform"
    low: float
    high: float

    @model_validator(mode="after")
    def _has_a_width(self) -> Self:
        if not 0 <= self.high - self.low < math.inf:
            raise ValueError("high must not be below low, nor infinitely far above")
        return self

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        uniform, low, width = variates.uniforms(), self.low, self.high - self.low
        return lambda: low + width * uniform()


class Triangular(_Family):
    """The triangular distribution: what is known are the bounds and what is likeliest.

    Its mean is ``(low + mode + high) / 3``.

    Attributes:
        low: The lower bound.
        mode: The likeliest value, not below `low`.
        high: The upper bound, not below `mode`.
    """

    family: Literal["triangular"] = "triangular"
    low: float
    mode: float
    high: float

    @model_validator(mode="after")
    def _has_its_mode_between_its_bounds(self) -> Self:
        if not (self.low <= self.mode <= self.high and self.high - self.low < math.inf):
            raise ValueError(
                "mode must not be below low, nor high below mode, nor infinitely far above low"
            )
        return self

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        uniform, low, high, sqrt = variates.uniforms(), self.low, self.high, math.sqrt
        width = high - low
        rising = (self.mode - low) / width if width else 1.0
        falling = (high - self.mode) / width if width else 0.0

        def draw() -> float:
            u = uniform()
            if u < rising:
                return low + width * sqrt(u * rising)
            value = high - width * sqrt((1 - u) * falling)
            return value if value > low else low  # where u is 0 it may be rounded to below

        return draw


class Empirical(_Family):
    """Draws from values that were observed, each as likely as the next.

    Attributes:
        values: What was observed, at least one; repeat a value to make it likelier.
    """

    family: Literal["empirical"] = "empirical"
    values: tuple[float, ...] = Field(min_length=1)

    @field_validator("values", mode="before")
    @classmethod
    def _also_a_list(cls, values: Any) -> Any:
        return tuple(values) if isinstance(values, list) else values

    def draws_from(self, variates: Variates) -> Draw:
        """See `Variates`."""
        uniform, values, count = variates.uniforms(), self.values, len(self.values)
        return lambda: values[int(uniform() * count)]


Distribution: TypeAlias = Annotated[
    Constant
    | Exponential
    | Normal
    | TruncatedNormal
    | LogNormal
    | Gamma
    | Weibull
    | Uniform
    | Triangular
    | Empirical,
    Field(discriminator="family"),
]
"""The annotation of a field that holds a distribution, of whichever family."""

FAMILIES: Final[Mapping[str, type[BaseModel]]] = {
    "constant": Constant,
    "exponential": Exponential,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "lognormal": LogNormal,
    "gamma": Gamma,
    "weibull": Weibull,
    "uniform": Uniform,
    "triangular": Triangular,
    "empirical": Empirical,
}
"""Every family of distributions by the name in its field `family`."""
