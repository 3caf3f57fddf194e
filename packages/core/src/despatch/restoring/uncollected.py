"""Uncollected: Python's search for garbage, put off while much is made that will stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage in the block.

    Each time that the number of objects has grown by a quarter, Python would look through all of
    them; of a hundred thousand processes that are made at once none is garbage, and it would take
    longer than to make them. After the block all objects count as old, so that they are not
    looked through right then, unless some are frozen, which stay so.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
