"""Uncollected: Python's search for garbage, put off while much is made that will stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["uncollected"]

_MANY: Final = 50_000


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage in the block.

    Each time that the number of objects has grown by a quarter, Python would look through all of
    them; of a hundred thousand processes that are made at once none is garbage, and it would take
    longer than to make them. After a block that made so many, all objects count as old, so that
    they are not looked through right then, unless some are frozen, which stay so. After any other
    they count as they did: in a worker, what the replication before has left is garbage by now,
    and is found only while it counts as young.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        made = gc.get_count()[0]
        if made > _MANY and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
