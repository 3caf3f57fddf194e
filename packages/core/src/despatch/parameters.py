"""Parameters: what of a model may change while it runs, and the distributions it draws from.

A model's live parameters are the fields of a `SimParameter`, with their bounds and validators;
models nest. A field annotated `Distribution` holds one of the families below and may change from
one to another.

    >>> from pydantic import Field
    >>> class Lathe(SimParameter):
    ...     capacity: int = Field(1, ge=0, le=5)
    ...     milling: Distribution = Normal(mean=3.0, std=0.5)
    >>> class Line(SimParameter):
    ...     arrivals: Distribution = Exponential(rate=1.0)
    ...     lathe: Lathe = Lathe()
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

if TYPE_CHECKING:
    from typing import Self

    from numpy.random import Generator

__all__ = [
    "FAMILIES",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "LogNormal",
    "Normal",
    "SimParameter",
    "Uniform",
]


class SimParameter(BaseModel):
    """A set of live parameters: a pydantic model, frozen and strict.

    Its fields may be int, float, bool, str, None, an Enum, a Literal, a tuple of such
    (``tuple[float, ...]``), a `Distribution`, or another `SimParameter`. Defaults are validated
    too, and no number is NaN or infinite.

    The registry makes new instances as parameters change, from all fields, so that a model's
    validators see every change as a whole. Validators must accept what they have returned.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        populate_by_name=True,
    )


class _Family(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Constant(_Family):
    """Always the same value.

    Attributes:
        value: What every draw is.
    """

    family: Literal["constant"] = "constant"
    value: float

    def sample(self, generator: Generator) -> float:
        """Return the value; the generator is not asked."""
        return self.value


class Exponential(_Family):
    """The exponential distribution, such as the time between arrivals.

    Attributes:
        rate: Arrivals in a unit of simulated time, above 0; the mean of a draw is its inverse.
    """

    family: Literal["exponential"] = "exponential"
    rate: float = Field(gt=0)

    def sample(self, generator: Generator) -> float:
        """Draw once."""
        return generator.standard_exponential() / self.rate


class Normal(_Family):
    """The normal distribution. A draw may be negative: mind that where it is a duration.

    Attributes:
        mean: The mean.
        std: The standard deviation, at least 0.
    """

    family: Literal["normal"] = "normal"
    mean: float
    std: float = Field(ge=0)

    def sample(self, generator: Generator) -> float:
        """Draw once."""
        return self.mean + self.std * generator.standard_normal()


class Uniform(_Family):
    """The uniform distribution between two bounds.

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

    def sample(self, generator: Generator) -> float:
        """Draw once."""
        return self.low + (self.high - self.low) * generator.random()


class LogNormal(_Family):
    """The log-normal distribution: its logarithm is normal. Often fits service times.

    Attributes:
        mu: The mean of the logarithm; the median of a draw is ``exp(mu)``.
        sigma: The standard deviation of the logarithm, at least 0.
    """

    family: Literal["lognormal"] = "lognormal"
    mu: float
    sigma: float = Field(ge=0)

    def sample(self, generator: Generator) -> float:
        """Draw once."""
        return generator.lognormal(self.mu, self.sigma)


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

    def sample(self, generator: Generator) -> float:
        """Draw once."""
        return self.values[generator.integers(len(self.values))]


Distribution: TypeAlias = Annotated[
    Constant | Exponential | Normal | Uniform | LogNormal | Empirical,
    Field(discriminator="family"),
]
"""The annotation of a field that holds a distribution, of whichever family."""

FAMILIES: Final[Mapping[str, type[BaseModel]]] = {
    "constant": Constant,
    "exponential": Exponential,
    "normal": Normal,
    "uniform": Uniform,
    "lognormal": LogNormal,
    "empirical": Empirical,
}
"""Every family of distributions by the name in its field `family`."""
