"""Parameters: what of a model may change while it runs.

A model's live parameters are the fields of a `SimParameter`, with their bounds and validators;
models nest. A field annotated `Distribution` holds one of the families in `despatch.distributions`
and may change from one to another.

    >>> from pydantic import Field
    >>> from despatch import Distribution, Exponential, Normal
    >>> class Lathe(SimParameter):
    ...     capacity: int = Field(1, ge=0, le=5)
    ...     milling: Distribution = Normal(mean=3.0, std=0.5)
    >>> class Line(SimParameter):
    ...     arrivals: Distribution = Exponential(rate=1.0)
    ...     lathe: Lathe = Lathe()
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["SimParameter"]


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
