"""The kernel: SimPy's events in SimPy's order, with less work for each."""

from despatch.kernel.kernel import Kernel

__all__ = ["Kernel"]
