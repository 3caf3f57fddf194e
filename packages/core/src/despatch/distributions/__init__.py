"""Distributions: the families that a parameter may be drawn from, and the drawing."""

from despatch.distributions.families import (
    FAMILIES,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Triangular,
    TruncatedNormal,
    Uniform,
    Weibull,
)

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
