"""Pacing: how simulated time follows wall time."""

from despatch.pacing.pacing import PacedEnvironment

__all__ = ["PacedEnvironment"]
