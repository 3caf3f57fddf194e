"""The core's source: read once, and not imported, for what its docstrings and annotations say."""

from __future__ import annotations

from functools import cache

import griffe

__all__ = ["PACKAGE", "core"]

PACKAGE = "despatch"


@cache
def core() -> griffe.Module:
    """The package `despatch`."""
    package = griffe.load(PACKAGE)
    assert isinstance(package, griffe.Module), package
    return package
