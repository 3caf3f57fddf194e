"""The registry: every live parameter, and how it changes."""

from despatch.registry.registry import Registry
from despatch.registry.signals import Signal
from despatch.registry.watches import Watch

__all__ = ["Registry", "Signal", "Watch"]
